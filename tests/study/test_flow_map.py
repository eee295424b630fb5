"""Where the PDE takes the starts of particles, against a flow map that is known."""

import numpy as np

import wassflow as wf
from wassflow.study.flow_map import follow_starts


def test_points_go_where_the_exact_flow_map_takes_them():
    case = wf.cases.get("cosine-2d")
    start = case.start(case.mesh(cells=20))
    starts = {(m, seed): wf.ParticleCloud.sample(start, m, seed=seed).points for m, seed in [(7, 0), (30, 2)]}
    times = [0.0, 0.5, 1.5]
    followed = follow_starts(case, start, starts, times)
    assert list(followed.arrivals) == list(starts)
    for run, points in starts.items():
        for t, arrived in zip(times, followed.arrivals[run], strict=True):
            # 2048 stratified particles know f to some 1e-4
            assert np.abs(arrived - case.exact.flow_map(t, points)).max() < 1e-3


def test_points_that_follow_do_not_push():
    case = wf.cases.get("deconvolution-2d")
    start = case.start(case.mesh(cells=(12, 16)))
    few, many = (
        follow_starts(case, start, {(m, 0): wf.ParticleCloud.sample(start, m, seed=0).points}, [0.0, 0.02])
        for m in (3, 300)
    )
    assert few.size == many.size
    np.testing.assert_allclose(few.moments, many.moments, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(few.energies, many.energies, rtol=1e-6)
