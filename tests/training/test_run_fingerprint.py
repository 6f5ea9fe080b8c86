"""Fingerprints: the same model has one, whatever Keras numbered it."""

import keras

from keras_lm.training.run_fingerprint import name_differences, run_fingerprint


def compiled(units=3, optimizer="adam"):
    inputs = keras.Input((2,))
    left = keras.layers.Dense(units)(inputs)
    right = keras.layers.Dense(units)(inputs)
    model = keras.Model(inputs, keras.layers.Add()([left, right]))
    model.compile(optimizer, "mse")
    return model


def test_a_model_built_twice_has_one_fingerprint():
    first, second = compiled(), compiled()

    assert first.layers[1].name != second.layers[1].name
    assert run_fingerprint(first, {"a": (1, 2)}) == run_fingerprint(
        second, {"a": [1, 2]}
    )


def test_what_makes_another_run():
    old = run_fingerprint(compiled(), {"seed": 1})

    def told(new):
        return " ".join(name_differences(old, new))

    assert "settings.seed was 1, now 2" in told(
        run_fingerprint(compiled(), {"seed": 2})
    )
    assert "units was 3, now 5" in told(run_fingerprint(compiled(5), {"seed": 1}))
    other = run_fingerprint(compiled(optimizer="sgd"), {"seed": 1})
    assert "optimizer.class was 'Adam', now 'SGD'" in told(other)
    assert "backend was" in told({**old, "backend": "numpy"})
    assert told(old) == ""


def test_differences_are_named_by_their_place():
    old = {"a": {"b": [1, 2]}, "c": [1], "gone": 1}
    new = {"a": {"b": [1, 3]}, "c": [1, 2], "new": 2}

    assert name_differences(old, new) == [
        "a.b.1 was 2, now 3",
        "c was [1], now [1, 2]",
        "gone was 1, now None",
        "new was None, now 2",
    ]


def test_a_model_without_configuration_is_known_by_its_class():
    class Plain(keras.Model):
        def get_config(self):
            raise NotImplementedError

    model = Plain()
    model.compile("adam")

    assert run_fingerprint(model, {})["model"]["config"] == "Plain"
