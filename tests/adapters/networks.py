"""The smallest Keras models that alibi-detect's classes take, of two fields, and how they are trained."""

from typing import Any

import tensorflow as tf
from alibi_detect.utils.tensorflow import DeepKernel
from tensorflow.keras.layers import Dense, Dropout, InputLayer

FIELDS, HIDDEN = 2, 2


def of(name: str) -> dict[str, Any]:
    """Options of the class that a configuration cannot hold."""
    match name:
        case "ClassifierDrift":
            return {"model": network(FIELDS, Dense(2, activation="softmax")), "seed": 0}
        case "ClassifierUncertaintyDrift":
            return {"model": network(FIELDS, Dense(3))}
        case "RegressorUncertaintyDrift":
            return {"model": network(FIELDS, Dense(8), Dropout(0.5), Dense(1))}
        case "LearnedKernelDrift":
            return {"kernel": DeepKernel(network(FIELDS, Dense(4)), eps=0.01)}
        case "LLR":
            return {"model": network(FIELDS, Dense(FIELDS))}
        case "OutlierSeq2Seq":
            return {"n_features": FIELDS}
        case "OutlierAE" | "OutlierVAE":
            return coder()
        case "OutlierAEGMM" | "OutlierVAEGMM":
            # what it gets is the hidden numbers and two of how well they give the row again
            density = network(HIDDEN + 2, Dense(4, activation="tanh"), Dense(2, activation="softmax"))
            return {**coder(), "gmm_density_net": density}
    return {}


def coder() -> dict[str, Any]:
    encoder = network(FIELDS, Dense(8, activation="relu"), Dense(HIDDEN))
    return {"encoder_net": encoder, "decoder_net": network(HIDDEN, Dense(8, activation="relu"), Dense(FIELDS))}


def network(inputs: int, *layers: Any) -> Any:
    return tf.keras.Sequential([InputLayer(input_shape=(inputs,)), *layers])


def training(name: str) -> dict[str, Any]:
    if name == "IForest":
        return {}
    if name == "LLR":
        return {
            "epochs": 2,
            "verbose": False,
            "mutate_fn": noisy,
            "mutate_fn_kwargs": {},
            "loss_fn": tf.keras.losses.mse,
        }
    return {"epochs": 2, "verbose": False}


def noisy(rows: Any) -> Any:
    return rows + tf.random.normal(rows.shape)
