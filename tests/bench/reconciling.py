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
from billing.reconciliation.causes import CAUSES, apply_causes, compute_amount, without_pricing
from billing.reconciliation.invoices import reconcile
from billing.reconciliation.matching import Theirs
from billing.reconciliation.recount import Recount
from billing.reconciliation.time_line import CycleRef
from tests.bench.figures import Figure, at_most
from tests.bench.measure import QUESTION, Differs, Files

#: One in so many invoices of the others is misread.
MISREAD_ONE_IN = 10


def reconciled(files: Files, *, events: int) -> Iterator[Figure]:
    """All single causes tried on every discrepancy, against the time of the invoices alone."""
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
        invoice = match.theirs
        if diagnosis is None or invoice is None or invoice.quantity != diagnosis.explanation.quantity:
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
    """The year's invoices, one in ten by a cause chosen at random, and by which."""
    events = engine.read(path, ReadOptions(history=True))
    recount = Recount(events, range(len(events.names.accounts)))
    causes = [r for r in CAUSES if r.change and recount.supports(apply_causes((r,)))]
    rng = random.Random(1)
    theirs, misread = [], {}
    drafts = engine.answer(path, query).drafts()
    chosen: dict[int, list[int]] = {}
    for k, drafted in enumerate(drafts):
        span = micros(drafted.cycle.start), micros(drafted.cycle.end)
        total = drafted.total
        theirs.append(Theirs("theirs", drafted.account_id, None, *span, False, drafted.peak, total.amount, "USD"))
        if rng.randrange(MISREAD_ONE_IN) == 0:
            chosen.setdefault(rng.randrange(len(causes)), []).append(k)
    for number, places in chosen.items():
        rule = apply_causes((causes[number],))
        bills = [
            CycleRef(
                events.names.code_of(drafts[k].account_id),
                terms.cycles,
                terms.cycles.index_at(theirs[k].start or 0),
                terms.policy,
            )
            for k in places
        ]
        for k, quantity in zip(places, recount.count(bills, without_pricing(rule)).tolist(), strict=True):
            priced = compute_amount(rule, quantity, terms)
            if priced is not None:
                theirs[k] = replace(theirs[k], quantity=quantity, amount=priced)
                misread[drafts[k].account_id, drafts[k].cycle.name] = causes[number].name
    return theirs, misread
