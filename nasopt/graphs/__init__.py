"""ONNX as data: read, write, describe, count work, quantise, run, compose."""
