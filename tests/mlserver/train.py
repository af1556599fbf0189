"""Train what MLServer will serve: `python train.py FILE`, on MLServer's own Python, so that joblib's versions agree."""

import sys

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

measurements, species = load_iris(return_X_y=True)
joblib.dump(LogisticRegression(max_iter=1000).fit(measurements, species), sys.argv[1])
