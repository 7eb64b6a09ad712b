"""The sampler `predictor`: surrogates of the objectives, searched for what should improve the front most."""

from nasopt.samplers.predictor.sampler import PredictorOptions, PredictorSampler, predictor

__all__ = ["PredictorOptions", "PredictorSampler", "predictor"]
