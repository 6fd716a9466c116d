"""optuna: a study that asks for several trials, whose values are computed by an executor."""

import optuna
import ways

optuna.logging.set_verbosity(optuna.logging.WARNING)


def value(parameters):
    x, kind = parameters["x"], parameters["kind"]
    return (x - 2) ** 2 + {"a": 0.0, "b": 1.0}[kind]


def objective(trial):
    """The same as a whole trial: it can be pickled where its study is in memory, since only its parameters travel."""
    return value({"x": trial.suggest_float("x", -10, 10), "kind": trial.suggest_categorical("kind", ["a", "b"])})


if __name__ == "__main__":
    ranges = {
        "x": optuna.distributions.FloatDistribution(-10, 10),
        "kind": optuna.distributions.CategoricalDistribution(["a", "b"]),
    }
    with ways.executor() as executor:
        for sampler in (optuna.samplers.RandomSampler(seed=3), optuna.samplers.TPESampler(seed=3)):
            study = optuna.create_study(sampler=sampler)
            for _ in range(8):
                trials = [study.ask(ranges) for _ in range(5)]
                for trial, result in zip(trials, executor.map(value, [trial.params for trial in trials])):
                    study.tell(trial, result)
            print(len(study.trials), study.best_value, study.best_params["kind"])
        futures = [executor.submit(objective, optuna.trial.FixedTrial({"x": x, "kind": "b"})) for x in range(4)]
        print([future.result() for future in futures])
