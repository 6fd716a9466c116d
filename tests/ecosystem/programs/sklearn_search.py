"""scikit-learn: searches and forests by the joblib backend of fedfutures."""

from __future__ import annotations

import numpy
from joblib import parallel_config
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.svm import SVC
from ways import WAY, digest

import fedfutures.joblib

if __name__ == "__main__":
    points, classes = make_classification(300, 12, random_state=0)
    with parallel_config(backend="sequential" if WAY == "serial" else "fedfutures", n_jobs=2):
        search = GridSearchCV(SVC(), {"C": [0.1, 1, 10], "gamma": [0.01, 0.1]}, cv=3).fit(points, classes)
        print(search.best_params_, search.best_score_)
        print(digest(search.cv_results_["mean_test_score"]))
        forest = RandomForestClassifier(12, random_state=0, n_jobs=2)
        print(cross_val_score(forest, points, classes, cv=4))
        print(digest(forest.fit(points, classes).predict_proba(points), numpy.array(forest.feature_importances_)))
    fedfutures.joblib.shutdown()
