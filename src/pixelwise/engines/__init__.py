"""Prediction beyond one process: pictures from anywhere, results to anywhere, on an engine that exists.

`ray_data` alone knows Ray. The rest is what a worker does with a chunk of pictures, whoever hands it over.
"""
