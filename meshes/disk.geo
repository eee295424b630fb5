// The unit disk. Its mesh is the regular polygon spanned by the boundary nodes: an inscribed, convex set.
size = 0.06;
Point(1) = {0, 0, 0, size};
Point(2) = {1, 0, 0, size};
Point(3) = {0, 1, 0, size};
Point(4) = {-1, 0, 0, size};
Point(5) = {0, -1, 0, size};
Circle(1) = {2, 1, 3};
Circle(2) = {3, 1, 4};
Circle(3) = {4, 1, 5};
Circle(4) = {5, 1, 2};
Transfinite Curve {1, 2, 3, 4} = 25;  // 24 equal edges on each quarter
Curve Loop(1) = {1, 2, 3, 4};
Plane Surface(1) = {1};
Physical Surface("omega") = {1};
