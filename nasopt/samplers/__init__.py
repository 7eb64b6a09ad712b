"""Search strategies: plug-ins that give an `optuna.samplers.BaseSampler`."""
