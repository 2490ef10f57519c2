"""Checkpoints, ParaView, npz and ONNX."""
