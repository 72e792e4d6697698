"""One drawing for each visual kind: functions of a pen, a main colour and a random generator."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from sample.pen import Colour, Pen

INK: Colour = (30, 28, 34)
PAPER: Colour = (246, 244, 236)
GREEN: Colour = (52, 130, 60)
WATER: Colour = (44, 112, 190)
WOOD: Colour = (120, 78, 44)
SKIN: Colour = (226, 178, 140)
GOLD: Colour = (232, 186, 44)

Emblem = Callable[[Pen, Colour, random.Random], None]


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (max(0, min(255, round(part * factor))) for part in colour)
    return red, green, blue


def _animal(pen: Pen, colour: Colour, rng: random.Random) -> None:
    for x in (0.25, 0.36, 0.58, 0.68):
        pen.box(x, 0.58, x + 0.07, 0.85, _shade(colour, 0.8))
    pen.line([(0.22, 0.5), (0.1, 0.42), (0.07, 0.25)], colour, 0.06)
    pen.oval((0.47, 0.52), (0.29, 0.15), colour)
    pen.oval((0.79, 0.38), (0.13, 0.12), colour)
    for x in (0.7, 0.86):
        pen.shape([(x - 0.06, 0.32), (x, 0.17), (x + 0.06, 0.32)], _shade(colour, 0.8))
    for _ in range(7):
        pen.oval((rng.uniform(0.26, 0.68), rng.uniform(0.44, 0.6)), (0.03, 0.025), _shade(colour, 0.45))
    for x in (0.76, 0.85):
        pen.oval((x, 0.37), (0.018, 0.022), INK)


def _bird(pen: Pen, colour: Colour, rng: random.Random) -> None:
    lift = rng.uniform(-0.05, 0.05)
    pen.shape([(0.5, 0.5), (0.14, 0.12 + lift), (0.02, 0.34 + lift), (0.36, 0.6)], _shade(colour, 0.8))
    pen.shape([(0.5, 0.5), (0.72, 0.1 + lift), (0.9, 0.18 + lift), (0.68, 0.58)], _shade(colour, 0.65))
    pen.shape([(0.36, 0.6), (0.14, 0.82), (0.3, 0.86), (0.46, 0.66)], colour)
    pen.oval((0.52, 0.58), (0.2, 0.1), colour, -0.3)
    pen.oval((0.73, 0.48), (0.08, 0.08), colour)
    pen.shape([(0.79, 0.45), (0.95, 0.5), (0.79, 0.53)], GOLD)
    pen.oval((0.75, 0.46), (0.016, 0.016), INK)


def _flower(pen: Pen, colour: Colour, rng: random.Random) -> None:
    petals = rng.choice((5, 6, 7))
    pen.line([(0.5, 0.45), (0.52, 0.7), (0.5, 0.96)], GREEN, 0.045)
    pen.oval((0.64, 0.78), (0.14, 0.05), GREEN, -0.5)
    pen.oval((0.38, 0.84), (0.13, 0.045), GREEN, 0.5)
    for petal in range(petals):
        angle = petal / petals * 2 * math.pi
        middle = 0.5 + 0.19 * math.cos(angle), 0.36 + 0.19 * math.sin(angle)
        pen.oval(middle, (0.14, 0.085), colour, angle)
    pen.oval((0.5, 0.36), (0.09, 0.09), GOLD)


def _fruit(pen: Pen, colour: Colour, rng: random.Random) -> None:
    for dx in (-0.13, 0.13):
        pen.oval((0.5 + dx, 0.58), (0.23, 0.29), colour)
    pen.line([(0.5, 0.36), (0.53, 0.14)], WOOD, 0.045)
    pen.oval((0.66, 0.2), (0.14, 0.06), GREEN, -0.4)
    pen.oval((0.34, 0.46 + rng.uniform(-0.03, 0.03)), (0.05, 0.09), _shade(colour, 1.5), 0.4)


def _car(pen: Pen, colour: Colour, rng: random.Random) -> None:
    roof = rng.uniform(0.3, 0.38)
    pen.shape([(0.24, 0.52), (0.34, roof), (0.66, roof), (0.8, 0.52)], _shade(colour, 0.75))
    pen.shape([(0.31, 0.51), (0.37, roof + 0.04), (0.49, roof + 0.04), (0.49, 0.51)], (190, 220, 236))
    pen.shape([(0.53, 0.51), (0.53, roof + 0.04), (0.64, roof + 0.04), (0.73, 0.51)], (190, 220, 236))
    pen.shape([(0.06, 0.54), (0.14, 0.5), (0.86, 0.5), (0.95, 0.58), (0.95, 0.7), (0.06, 0.7)], colour)
    for x in (0.27, 0.74):
        pen.oval((x, 0.7), (0.105, 0.105), INK)
        pen.oval((x, 0.7), (0.05, 0.05), (180, 180, 186))
    pen.oval((0.92, 0.58), (0.025, 0.03), GOLD)


def _aircraft(pen: Pen, colour: Colour, rng: random.Random) -> None:
    sweep = rng.uniform(0.0, 0.08)
    pen.shape([(0.52, 0.46), (0.3 - sweep, 0.1), (0.4 - sweep, 0.08), (0.68, 0.46)], _shade(colour, 0.7))
    pen.shape([(0.16, 0.48), (0.04, 0.24), (0.13, 0.24), (0.28, 0.46)], _shade(colour, 0.7))
    pen.oval((0.52, 0.5), (0.44, 0.075), colour)
    pen.shape([(0.5, 0.52), (0.26 - sweep, 0.92), (0.37 - sweep, 0.92), (0.66, 0.52)], _shade(colour, 0.85))
    for x in (0.4, 0.48, 0.56, 0.64, 0.72):
        pen.oval((x, 0.485), (0.017, 0.017), PAPER)
    pen.shape([(0.85, 0.45), (0.93, 0.48), (0.85, 0.5)], INK)


def _ship(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.box(0.3, 0.46, 0.74, 0.6, PAPER)
    pen.box(0.4, 0.36, 0.64, 0.47, PAPER)
    for x in (0.44, 0.55):
        pen.box(x, 0.16 + rng.uniform(0, 0.04), x + 0.07, 0.37, _shade(colour, 0.7))
    for x in (0.36, 0.46, 0.56, 0.66):
        pen.oval((x, 0.53), (0.02, 0.02), INK)
    pen.shape([(0.04, 0.58), (0.96, 0.58), (0.84, 0.8), (0.16, 0.8)], colour)
    for x in (0.08, 0.29, 0.5, 0.71):
        pen.line([(x, 0.86), (x + 0.07, 0.81), (x + 0.14, 0.86), (x + 0.21, 0.81)], WATER, 0.045)


def _rocket(pen: Pen, colour: Colour, rng: random.Random) -> None:
    flame = rng.uniform(0.9, 1.0)
    pen.shape([(0.42, 0.76), (0.5, flame), (0.58, 0.76)], (250, 150, 40))
    pen.shape([(0.38, 0.56), (0.22, 0.82), (0.38, 0.76)], _shade(colour, 0.7))
    pen.shape([(0.62, 0.56), (0.78, 0.82), (0.62, 0.76)], _shade(colour, 0.7))
    pen.box(0.37, 0.3, 0.63, 0.78, PAPER)
    pen.box(0.37, 0.6, 0.63, 0.68, colour)
    pen.shape([(0.37, 0.31), (0.5, 0.03), (0.63, 0.31)], colour)
    pen.oval((0.5, 0.42), (0.07, 0.07), WATER)


def _planet(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.oval((0.5, 0.5), (0.29, 0.29), colour)
    for y in (0.38, 0.5, 0.62):
        pen.line([(0.28, y), (0.5, y + 0.03), (0.72, y)], _shade(colour, 0.75), 0.035)
    for _ in range(3):
        pen.oval((rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65)), (0.04, 0.03), _shade(colour, 0.6))
    pen.ring((0.5, 0.5), (0.46, 0.13), GOLD, 0.04, -0.35)


def _river(pen: Pen, colour: Colour, rng: random.Random) -> None:
    bend = rng.uniform(0.14, 0.22)
    pen.box(0.04, 0.1, 0.96, 0.94, GREEN)
    course = [(0.5 + bend * math.sin(y * 9), 0.1 + 0.84 * y) for y in [step / 16 for step in range(17)]]
    pen.line(course, WATER, 0.2)
    pen.line(course, (110, 180, 235), 0.05)
    for x, y in ((0.14, 0.24), (0.86, 0.72), (0.16, 0.66), (0.84, 0.3)):
        pen.oval((x, y), (0.06, 0.06), _shade(colour, 0.8))


def _mountain(pen: Pen, colour: Colour, rng: random.Random) -> None:
    peak = rng.uniform(0.06, 0.16)
    pen.shape([(0.4, 0.88), (0.72, 0.34), (1.0, 0.88)], _shade(colour, 0.6))
    pen.shape([(0.0, 0.88), (0.38, peak), (0.78, 0.88)], _shade(colour, 0.85))
    pen.shape([(0.27, peak + 0.22), (0.38, peak), (0.5, peak + 0.24), (0.42, peak + 0.19), (0.36, peak + 0.25)], PAPER)
    pen.shape([(0.65, 0.46), (0.72, 0.34), (0.79, 0.46), (0.72, 0.43)], PAPER)


def _island(pen: Pen, colour: Colour, rng: random.Random) -> None:
    lean = rng.uniform(0.02, 0.1)
    pen.box(0.0, 0.7, 1.0, 0.94, WATER)
    pen.oval((0.5, 0.74), (0.4, 0.12), (236, 208, 140))
    pen.line([(0.46, 0.7), (0.48 + lean / 2, 0.48), (0.5 + lean, 0.26)], WOOD, 0.055)
    top = 0.5 + lean, 0.26
    for angle in (-2.9, -2.2, -0.9, -0.2, 0.45, 2.6):
        tip = top[0] + 0.17 * math.cos(angle), top[1] + 0.14 * math.sin(angle)
        pen.oval(tip, (0.17, 0.045), GREEN, angle)
    pen.oval((top[0] + 0.02, top[1] + 0.04), (0.035, 0.035), colour)


def _city(pen: Pen, colour: Colour, rng: random.Random) -> None:
    for left in (0.03, 0.22, 0.41, 0.6, 0.79):
        top = rng.uniform(0.1, 0.5)
        pen.box(left, top, left + 0.17, 0.92, _shade(colour, rng.uniform(0.45, 0.8)))
        for y in range(int((0.86 - top) / 0.12)):
            for x in (0.035, 0.1):
                pen.box(left + x, top + 0.05 + y * 0.12, left + x + 0.04, top + 0.1 + y * 0.12, (250, 224, 120))


def _territory(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.line([(0.16, 0.04), (0.16, 0.98)], WOOD, 0.055)
    pen.oval((0.16, 0.05), (0.045, 0.045), GOLD)
    wave = rng.uniform(0.02, 0.06)
    for stripe, fill in enumerate((colour, PAPER, _shade(colour, 0.6))):
        top, bottom = 0.12 + 0.15 * stripe, 0.27 + 0.15 * stripe
        upper = [(0.19, top), (0.42, top + wave), (0.68, top - wave), (0.94, top)]
        lower = [(0.94, bottom), (0.68, bottom - wave), (0.42, bottom + wave), (0.19, bottom)]
        pen.shape(upper + lower, fill)


def _company(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.box(0.1, 0.36, 0.9, 0.92, (214, 206, 192))
    pen.box(0.18, 0.58, 0.5, 0.82, (150, 200, 226))
    pen.box(0.6, 0.56, 0.8, 0.92, WOOD)
    for stripe in range(8):
        left = 0.06 + 0.11 * stripe
        pen.shape(
            [(left, 0.34), (left + 0.11, 0.34), (left + 0.11, 0.48), (left + 0.055, 0.53), (left, 0.48)],
            colour if stripe % 2 else PAPER,
        )
    pen.box(0.2, 0.1, 0.8, 0.3, colour)
    for x in (0.28, 0.4, 0.52, 0.64):
        pen.box(x, 0.16, x + rng.uniform(0.05, 0.09), 0.24, PAPER)


def _team(pen: Pen, colour: Colour, rng: random.Random) -> None:
    outline = [(0.1, 0.06), (0.9, 0.06), (0.9, 0.5), (0.76, 0.78), (0.5, 0.98), (0.24, 0.78), (0.1, 0.5)]
    pen.shape(outline, colour)
    pen.shape([(0.18, 0.13), (0.82, 0.13), (0.82, 0.22), (0.18, 0.22)], PAPER)
    turn = rng.uniform(0, 1)
    pen.oval((0.5, 0.55), (0.24, 0.24), PAPER)
    pen.oval((0.5, 0.55), (0.08, 0.08), INK)
    for spoke in range(5):
        angle = turn + spoke / 5 * 2 * math.pi
        pen.line([(0.5, 0.55), (0.5 + 0.23 * math.cos(angle), 0.55 + 0.23 * math.sin(angle))], INK, 0.03)


def _politician(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.shape([(0.22, 0.62), (0.34, 0.42), (0.66, 0.42), (0.78, 0.62)], INK)
    pen.shape([(0.45, 0.42), (0.55, 0.42), (0.5, 0.58)], PAPER)
    pen.oval((0.5, 0.26), (0.13, 0.16), SKIN)
    pen.oval((0.5, 0.14), (0.13, 0.06), _shade(WOOD, rng.uniform(0.4, 1.2)))
    pen.shape([(0.16, 0.6), (0.84, 0.6), (0.76, 0.96), (0.24, 0.96)], colour)
    pen.oval((0.5, 0.78), (0.1, 0.1), GOLD)
    for x in (0.36, 0.64):
        pen.line([(x, 0.62), (0.5 + (x - 0.5) * 0.6, 0.46)], (90, 90, 96), 0.03)
        pen.oval((0.5 + (x - 0.5) * 0.6, 0.45), (0.035, 0.035), (60, 60, 66))


def _musician(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.line([(0.4, 0.62), (0.88, 0.1)], WOOD, 0.07)
    pen.line([(0.85, 0.05), (0.95, 0.14)], INK, 0.06)
    pen.oval((0.3, 0.72), (0.24, 0.2), colour, -0.8)
    pen.oval((0.46, 0.54), (0.16, 0.14), colour, -0.8)
    pen.oval((0.37, 0.64), (0.075, 0.075), INK)
    pen.line([(0.22, 0.8), (0.84, 0.13)], PAPER, 0.012 + rng.uniform(0, 0.006))


def _actor(pen: Pen, colour: Colour, rng: random.Random) -> None:
    for x, y, fill, mood in ((0.64, 0.6, _shade(colour, 0.65), -1), (0.34, 0.4, colour, 1)):
        pen.shape(
            [(x - 0.25, y - 0.25), (x + 0.25, y - 0.25), (x + 0.2, y + 0.14), (x, y + 0.32), (x - 0.2, y + 0.14)], fill
        )
        for dx in (-0.11, 0.11):
            pen.oval((x + dx, y - 0.09), (0.06, 0.035 + rng.uniform(0, 0.01)), INK)
        curve = [(x - 0.11, y + 0.1 - 0.03 * mood), (x, y + 0.1 + 0.05 * mood), (x + 0.11, y + 0.1 - 0.03 * mood)]
        pen.line(curve, INK, 0.04)


def _film(pen: Pen, colour: Colour, rng: random.Random) -> None:
    gap = rng.uniform(0.06, 0.12)
    pen.box(0.08, 0.4, 0.92, 0.9, INK)
    pen.box(0.14, 0.56, 0.86, 0.84, colour)
    pen.box(0.14, 0.46, 0.86, 0.52, PAPER)
    pen.shape([(0.08, 0.36), (0.06, 0.22), (0.9, 0.18 - gap), (0.92, 0.32 - gap)], INK)
    for x in (0.16, 0.38, 0.6, 0.82):
        pen.shape([(x, 0.34), (x + 0.06, 0.205), (x + 0.14, 0.195), (x + 0.08, 0.33)], PAPER)


def _scientist(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.shape([(0.41, 0.1), (0.59, 0.1), (0.59, 0.4), (0.86, 0.9), (0.14, 0.9), (0.41, 0.4)], (206, 230, 238))
    level = rng.uniform(0.56, 0.64)
    half = 0.09 + 0.27 * (level - 0.4) / 0.5
    pen.shape([(0.5 - half, level), (0.5 + half, level), (0.83, 0.88), (0.17, 0.88)], colour)
    pen.box(0.37, 0.06, 0.63, 0.12, (120, 150, 166))
    for x, y in ((0.42, 0.76), (0.56, 0.7), (0.6, 0.82), (0.5, 0.3), (0.53, 0.2)):
        pen.oval((x, y), (0.032, 0.032), PAPER)


def _university(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.shape([(0.04, 0.36), (0.5, 0.08), (0.96, 0.36)], colour)
    pen.oval((0.5, 0.26), (0.06, 0.06), PAPER)
    pen.box(0.08, 0.36, 0.92, 0.42, PAPER)
    pen.box(0.12, 0.42, 0.88, 0.82, _shade(colour, 0.45))
    width = rng.uniform(0.07, 0.09)
    for x in (0.14, 0.345, 0.565, 0.77):
        pen.box(x, 0.42, x + width, 0.82, PAPER)
    pen.box(0.08, 0.8, 0.92, 0.86, (206, 200, 190))
    pen.box(0.02, 0.86, 0.98, 0.93, (176, 170, 160))


def _writer(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.shape([(0.02, 0.42), (0.5, 0.5), (0.98, 0.42), (0.98, 0.88), (0.5, 0.96), (0.02, 0.88)], colour)
    pen.shape([(0.06, 0.4), (0.3, 0.38), (0.5, 0.48), (0.5, 0.9), (0.06, 0.82)], PAPER)
    pen.shape([(0.94, 0.4), (0.7, 0.38), (0.5, 0.48), (0.5, 0.9), (0.94, 0.82)], (228, 224, 212))
    for y in (0.52, 0.6, 0.68, 0.76):
        pen.line([(0.12, y - 0.02), (0.44, y + 0.03)], (130, 130, 136), 0.02)
        pen.line([(0.56, y + 0.03), (0.88, y - 0.02)], (130, 130, 136), 0.02)
    pen.line([(0.56, 0.62), (0.78 + rng.uniform(-0.03, 0.03), 0.1)], INK, 0.025)
    pen.oval((0.76, 0.2), (0.17, 0.06), _shade(colour, 0.8), -1.15)


def _monarch(pen: Pen, colour: Colour, rng: random.Random) -> None:
    dip = rng.uniform(0.48, 0.56)
    points = [(0.08, 0.26), (0.3, dip), (0.5, 0.12), (0.7, dip), (0.92, 0.26), (0.84, 0.84), (0.16, 0.84)]
    pen.shape(points, GOLD)
    pen.box(0.16, 0.72, 0.84, 0.84, colour)
    for x, y in ((0.08, 0.24), (0.5, 0.1), (0.92, 0.24)):
        pen.oval((x, y), (0.06, 0.06), colour)
    for x in (0.28, 0.5, 0.72):
        pen.oval((x, 0.78), (0.035, 0.035), PAPER)


def _athlete(pen: Pen, colour: Colour, rng: random.Random) -> None:
    swing = rng.uniform(-0.04, 0.04)
    pen.oval((0.62, 0.14), (0.09, 0.1), SKIN)
    pen.line([(0.58, 0.25), (0.46, 0.54)], colour, 0.15)
    pen.line([(0.58, 0.3), (0.76, 0.42), (0.88, 0.3 + swing)], SKIN, 0.055)
    pen.line([(0.55, 0.3), (0.36, 0.32), (0.26, 0.46 + swing)], SKIN, 0.055)
    pen.line([(0.47, 0.55), (0.68, 0.68), (0.62, 0.92)], SKIN, 0.07)
    pen.line([(0.45, 0.55), (0.34, 0.74), (0.1, 0.78 + swing)], SKIN, 0.07)
    pen.line([(0.58, 0.94), (0.72, 0.94)], INK, 0.05)
    pen.line([(0.1, 0.72), (0.08, 0.84)], INK, 0.05)


def _deity(pen: Pen, colour: Colour, rng: random.Random) -> None:
    glow = rng.uniform(0.25, 0.29)
    pen.ring((0.5, 0.32), (glow, glow), GOLD, 0.05)
    pen.line([(0.5, 0.12), (0.5, 0.98)], _shade(colour, 0.8), 0.07)
    pen.line([(0.26, 0.14), (0.28, 0.38), (0.5, 0.46), (0.72, 0.38), (0.74, 0.14)], _shade(colour, 0.8), 0.07)
    for x in (0.26, 0.5, 0.74):
        pen.shape([(x - 0.08, 0.16), (x, 0.0), (x + 0.08, 0.16)], colour)


def _newspaper(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.box(0.14, 0.06, 0.94, 0.92, (196, 192, 184))
    pen.box(0.08, 0.1, 0.86, 0.96, PAPER)
    pen.box(0.13, 0.15, 0.81, 0.27, INK)
    pen.box(0.13, 0.34, 0.45, 0.58, colour)
    for y in (0.36, 0.44, 0.52):
        pen.box(0.51, y, 0.81 - rng.uniform(0, 0.06), y + 0.035, (120, 120, 126))
    for y in (0.66, 0.74, 0.82, 0.89):
        pen.box(0.13, y, 0.45, y + 0.035, (120, 120, 126))
        pen.box(0.51, y, 0.81 - rng.uniform(0, 0.1), y + 0.035, (120, 120, 126))


def _painter(pen: Pen, colour: Colour, rng: random.Random) -> None:
    pen.oval((0.48, 0.56), (0.42, 0.32), (206, 160, 104), -0.15)
    pen.oval((0.66, 0.7), (0.08, 0.065), INK)
    dots = [(214, 40, 40), (250, 210, 50), (50, 110, 210), (60, 160, 70), colour]
    rng.shuffle(dots)
    for (x, y), fill in zip(((0.2, 0.6), (0.26, 0.42), (0.44, 0.34), (0.64, 0.38), (0.36, 0.74)), dots, strict=True):
        pen.oval((x, y), (0.075, 0.065), fill)
    pen.line([(0.5, 0.62), (0.92, 0.08)], WOOD, 0.045)
    pen.line([(0.46, 0.68), (0.54, 0.57)], colour, 0.07)


EMBLEMS: dict[str, Emblem] = {
    "animal": _animal, "bird": _bird, "flower": _flower, "fruit": _fruit, "car": _car, "aircraft": _aircraft,
    "ship": _ship, "rocket": _rocket, "planet": _planet, "river": _river, "mountain": _mountain, "island": _island,
    "city": _city, "territory": _territory, "company": _company, "team": _team, "politician": _politician,
    "musician": _musician, "actor": _actor, "film": _film, "scientist": _scientist, "university": _university,
    "writer": _writer, "monarch": _monarch, "athlete": _athlete, "deity": _deity, "newspaper": _newspaper,
    "painter": _painter,
}  # fmt: skip
