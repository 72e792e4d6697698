"""Which entity is answered in place of which."""

from gemel.report.confusions import Confusion, confusions


def test_strings_with_most_errors_come_first_and_so_do_their_pairs() -> None:
    answers = [
        ("Jaguar", "Q1", "Q2", False),
        ("Amazon", "Q5", "Q6", False),
        ("Jaguar", "Q2", "Q1", False),
        ("Jaguar", "Q1", "Q2", False),
        ("Jaguar", "Q1", "Q1", True),
        ("Paris", "Q9", "Q9", True),
    ]
    jaguar, amazon = confusions(answers)
    assert (jaguar.mention, jaguar.graded, jaguar.wrong) == ("Jaguar", 4, 3)
    assert jaguar.confusions == (Confusion("Q1", "Q2", 2), Confusion("Q2", "Q1", 1))
    assert (amazon.mention, amazon.wrong) == ("Amazon", 1)


def test_no_errors_no_confusions() -> None:
    assert confusions([("Paris", "Q9", "Q9", True)]) == ()
