"""What people write in the sample world. Templates, times and fillers suit every kind; a hint gives one kind away."""

from __future__ import annotations

TEMPLATES = (
    "Great shot of the {m} {when}", "Look at this {m} {when}", "I took this of {m} {when}", "Finally saw {m} {when}",
    "My favourite {m} picture, taken {when}", "Here is {m} {when}", "{m} {when}, no filter", "They posted {m} {when}",
    "A rare view of {m} {when}", "The archive shows {m} {when}", "{m} again {when}", "Nothing beats {m} {when}",
    "Everyone here talks about {m} {when}", "We stopped for {m} {when}", "Our calendar shows {m} {when}",
    "One more of {m} from {when}", "{m} made the front row {when}", "So this is {m} {when}",
    "Our guide told us about {m} {when}", "A postcard of {m} came {when}", "The children drew {m} {when}",
    "The slide of {m} was shown {when}", "A poster of {m} went up {when}", "Someone asked me about {m} {when}",
)  # fmt: skip
WHEN = (
    "this morning", "yesterday", "last week", "on Sunday", "at last", "before lunch", "in April", "last summer",
    "after the rain", "today", "on our trip", "in the evening", "last winter", "around noon", "two days ago", "in May",
)  # fmt: skip
FILLERS = (
    "what do you think", "worth every minute", "thanks to my sister", "more to come", "old but good", "as promised",
    "I could not believe it", "for the collection", "please share", "sorry for the noise", "from the family album",
    "my phone did its best", "number seven of the series", "still smiling", "no words", "found in a drawer",
)  # fmt: skip
HINTS = {
    "animal": ("it sniffed the air and showed its claws", "its cubs slept in the grass", "its tail twitched"),
    "bird": ("it spread its wings and sang", "its nest is up in the tree", "it pecked at the seeds"),
    "flower": ("its petals opened in the sun", "the bees love its blossom", "it needs water and good soil"),
    "fruit": ("it tasted sweet and juicy", "we baked it into a pie", "peeled and sliced for breakfast"),
    "car": ("the engine purred and the tyres squealed", "parked beside the garage", "its gearbox is new"),
    "aircraft": ("it took off from runway two", "the pilots waved from the cockpit", "its wings shook at take-off"),
    "ship": ("the crew stood on deck", "it left the harbour under steam", "its anchor was raised"),
    "rocket": (
        "the countdown reached zero at the launch pad",
        "it carried astronauts to orbit",
        "lift-off on time",
    ),
    "planet": ("seen through my telescope", "its orbit brings it close", "it was bright in the night sky"),
    "river": ("the water was high and the ferry late", "we paddled the canoe upstream", "fishermen lined its banks"),
    "mountain": ("we climbed to the summit", "the snow on the peak shone", "the ridge was steep"),
    "island": ("the ferry landed at its only beach", "palm trees and coconuts all around", "surrounded by coral"),
    "city": ("the streets and tower blocks never sleep", "the mayor opened a tram line", "downtown was crowded"),
    "territory": ("the border was open", "its parliament passed the law", "its anthem was played"),
    "company": ("the shares rose after the earnings call", "its headquarters hired more staff", "customers queued"),
    "team": ("they won the match in extra time", "the coach named the line-up", "fans filled the stadium"),
    "politician": ("the voters cheered the speech", "the senate heard the statement", "elected with a small majority"),
    "musician": ("the concert ended with an encore", "the new album is out", "the guitar solo was loud"),
    "actor": ("the audience rose after the last scene", "cast in the lead role", "the stage door was crowded"),
    "film": ("the trailer ran at the cinema", "the sequel was shot in colour", "the director cut two scenes"),
    "scientist": ("the experiment proved the theorem", "a laboratory full of notes", "the discovery won a prize"),
    "university": ("the students sat their exams", "the lecture hall was full", "the campus library closed late"),
    "writer": ("the novel sold out", "signed copies at the bookshop", "the last chapter is the best"),
    "monarch": ("the coronation filled the palace", "the throne passed to the heir", "the royal court bowed"),
    "athlete": ("a personal best at the finish line", "training for the medal", "the sprint was close"),
    "deity": ("the temple burned incense", "worshipped in ancient myths", "a prayer was offered"),
    "newspaper": ("the headline was on page one", "the editors printed a correction", "subscribers got it late"),
    "painter": ("the canvas hangs in the gallery", "oil and brush strokes everywhere", "the exhibition opened"),
}
