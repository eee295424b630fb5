def integrate(*a):
    raise ValueError
