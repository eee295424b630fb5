// A strip about the line {w = 0}, where V = |w| has its kink: triangles there are ten times smaller than at the far
// walls, and the line is made of their edges. Top and bottom match, so that the second axis may be periodic.
fine = 0.0125;
coarse = 0.125;
Point(1) = {-1.25, 0, 0};
Point(2) = {0, 0, 0};
Point(3) = {1.25, 0, 0};
Point(4) = {1.25, 1, 0};
Point(5) = {0, 1, 0};
Point(6) = {-1.25, 1, 0};
Line(1) = {1, 2};
Line(2) = {2, 3};
Line(3) = {3, 4};
Line(4) = {5, 4};
Line(5) = {6, 5};
Line(6) = {1, 6};
Line(7) = {2, 5};
Periodic Curve {5} = {1} Translate {0, 1, 0};
Periodic Curve {4} = {2} Translate {0, 1, 0};
Curve Loop(1) = {1, 7, -5, -6};
Curve Loop(2) = {2, 3, -4, -7};
Plane Surface(1) = {1};
Plane Surface(2) = {2};
// size grows with the distance from the line, from fine to coarse
Field[1] = Distance;
Field[1].CurvesList = {7};
Field[1].Sampling = 200;
Field[2] = Threshold;
Field[2].InField = 1;
Field[2].SizeMin = fine;
Field[2].SizeMax = coarse;
Field[2].DistMin = 0;
Field[2].DistMax = 1.1;
Background Field = 2;
Mesh.MeshSizeExtendFromBoundary = 0;  // the field alone decides
Mesh.MeshSizeFromPoints = 0;
Physical Surface("omega") = {1, 2};
