"""Reconciliation measured beside plain invoicing: a year of many accounts, one discrepancy in ten."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter

from billing import engine
from billing.core.cycle import micros
from billing.core.terms import Terms
from billing.engine.query import Query
from billing.inputs.rows import ReadOptions
from billing.reconciliation.causes import READINGS, amount, counting, way_of
from billing.reconciliation.invoices import reconcile
from billing.reconciliation.matching import Theirs
from billing.reconciliation.recount import Bill, Census
from tests.bench.figures import Figure, at_most
from tests.bench.measure import QUESTION, Differs, Files

#: One in so many invoices of the others is misread.
MISREAD_ONE_IN = 10


def reconciled(files: Files, *, events: int) -> Iterator[Figure]:
    """All single readings tried on every discrepancy, against the time of the invoices alone."""
    path = str(files.parquet(events))
    terms = QUESTION.all_terms.default
    drafts = engine.answer(path, QUESTION).drafts()
    plain = []
    for _ in range(3):
        began = perf_counter()
        engine.answer(path, QUESTION).drafts()
        plain.append(perf_counter() - began)
    theirs, misread = _misread(path, QUESTION, terms)
    began = perf_counter()
    found, _ = reconcile(path, theirs, QUESTION)
    took = perf_counter() - began
    for match, diagnosis in found.differing:
        claim = match.theirs
        if diagnosis is None or claim is None or claim.quantity != diagnosis.explanation.quantity:
            raise Differs(f"{match.account_id} {match.cycle}: a misreading was not found, or not reproduced")
    right = sum(d is not None and d.explanation.name == misread[m.account_id, m.cycle] for m, d in found.differing)
    share = right / len(found.differing)
    yield Figure(
        f"{len(drafts):,} invoices reconciled with {events / 1e6:.0f} M events, one in {MISREAD_ONE_IN} misread",
        f"{took:.2f} s",
        f"{took / median(plain):.1f}x the invoices alone ({median(plain):.2f} s); {share:.1%} of the causes named",
        "at most 10x",
        at_most(10, took / median(plain)),
    )


def _misread(path: str, query: Query, terms: Terms) -> tuple[list[Theirs], dict[tuple[str, str], str]]:
    """The year's invoices, one in ten by a reading taken at random, and by which."""
    events = engine.read(path, ReadOptions(history=True))
    census = Census(events, range(len(events.names.accounts)))
    readings = [r for r in READINGS if r.change and census.knows(way_of((r,)))]
    dice = random.Random(1)
    claims, misread = [], {}
    drafts = engine.answer(path, query).drafts()
    chosen: dict[int, list[int]] = {}
    for k, drafted in enumerate(drafts):
        span = micros(drafted.cycle.start), micros(drafted.cycle.end)
        total = drafted.total
        claims.append(Theirs("theirs", drafted.account_id, None, *span, False, drafted.peak, total.amount, "USD"))
        if dice.randrange(MISREAD_ONE_IN) == 0:
            chosen.setdefault(dice.randrange(len(readings)), []).append(k)
    for number, places in chosen.items():
        way = way_of((readings[number],))
        bills = [
            Bill(
                events.names.code_of(drafts[k].account_id),
                terms.cycles,
                terms.cycles.index_at(claims[k].start or 0),
                terms.policy,
            )
            for k in places
        ]
        for k, quantity in zip(places, census.counts(bills, counting(way)).tolist(), strict=True):
            priced = amount(way, quantity, terms)
            if priced is not None:
                claims[k] = replace(claims[k], quantity=quantity, amount=priced)
                misread[drafts[k].account_id, drafts[k].cycle.name] = readings[number].name
    return claims, misread
