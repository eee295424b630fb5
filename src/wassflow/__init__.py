"""wassflow: the many-particle limit of Wasserstein gradient flows, seen and measured."""
