"""From blocks of runs to a latency, an energy, a stream's times: statistics and the scale of a reference network."""
