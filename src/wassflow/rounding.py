"""The unit of rounding, in which every estimate of an error of arithmetic is given."""

#: distance of 1 to the next double
EPS = 2.0**-52
