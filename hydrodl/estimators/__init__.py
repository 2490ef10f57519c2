"""The network as scikit-learn's estimators."""
