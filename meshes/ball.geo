// The unit ball. Its mesh is the polyhedron spanned by the boundary nodes: inscribed, and convex because the surface mesher
// chosen here ends with the Delaunay triangulation of the sphere (others leave a few edges that are not on the hull).
SetFactory("OpenCASCADE");
Sphere(1) = {0, 0, 0, 1};
Mesh.MeshSizeMin = 0.2;
Mesh.MeshSizeMax = 0.2;
Mesh.Algorithm = 1;
Physical Volume("omega") = {1};
