"""Numbers of surveys that training has not seen: kept as JSON, shown as a table."""

from __future__ import annotations

import pytest

from classifiers.training.evaluation.document import Proportion, Table
from classifiers.training.evaluation.left_out import (
    LEFT_OUT,
    MEASURES,
    SHIPPED,
    LeaveOneOut,
    SurveyScores,
    left_out,
)
from classifiers.training.simulation.instruments import NAMES


def test_what_is_written_is_read_back() -> None:
    counts = dict.fromkeys(MEASURES, (3, 4))
    found = LeaveOneOut(256, 1, 7, "ab" * 32, [SurveyScores("SDSS", seen, counts) for seen in (True, False)])
    assert LeaveOneOut.from_json(found.to_json()) == found
    (table,) = left_out(found).items
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [["SDSS", "with it"], ["SDSS", "without it"]]
    assert table.rows[0][2] == Proportion("GALAXY", 3, 4)


@pytest.mark.parametrize("text", ["{}", '{"scores": 3}', "[]", '{"scores": [{"survey": "A"}]}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected the numbers of a leave-one-survey-out run"):
        LeaveOneOut.from_json(text)


def test_the_shipped_numbers_are_of_every_survey_with_and_without_its_model() -> None:
    shipped = LeaveOneOut.from_json(SHIPPED.read_text(encoding="utf-8"))
    assert [(each.survey, each.seen) for each in shipped.scores] == [
        (s, seen) for s in LEFT_OUT for seen in (True, False)
    ]
    assert {name for names in LEFT_OUT.values() for name in names} <= set(NAMES)
    by_survey = {(each.survey, each.seen): each.counts for each in shipped.scores}
    for survey in LEFT_OUT:
        seen, unseen = (
            {name: n for name, (_, n) in by_survey[survey, known].items() if not name.startswith("redshift")}
            for known in (True, False)
        )
        assert seen == unseen  # redshifts are counted of those that are found to be of their group
