"""The maths, and nothing else: arrays and frames in, numbers out. Pure.

Everything that computes (the analytics job, the screen, the CSV command, notebooks) calls these
functions; none of them knows a lake, settings or a clock. Where what is:

bars        `resample` trades → bars; `breaks` spans of trading; `close_matrix` symbols × bars
windows     `blocks` sums over sliding windows; `rolling` moments of legs and pairs; `legs`
pairs       `pair_stats` hedge ratio, spread, z-score, correlation; `kalman` the beta that moves;
            `pair_rows` all of it for all pairs of a close matrix; `rollups` 60 rows as one
unit roots  `lagged_moments`, `dickey_fuller`, `cointegration` many pairs at once; `unit_root`
            one; `mackinnon` p-values; `stationarity` the slow statistics,
            `stationarity_schedule` of which bars
markets     `screen_pairs`, `screen` every pair at one bar, ranked; `screen_choice` which of them
            are followed
alerts      `alerts` the state machine

A pair by hand, a (bars,) and b (bars,) being its closes:

    legs = Legs.of(a[None], b[None])
    hedge = hedge_ratio(legs, legs.moments(legs.windows(300, len(a))))
    spread = spread_zscore(legs, hedge.beta, legs.moments(legs.windows(60, len(a))))
"""
