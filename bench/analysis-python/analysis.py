"""The analyses of src/analysis in plain Python 3, for comparison: the same algorithms, exact integers, no packages.

Reads {"sets": [...], "runs": N} as JSON from stdin, sets as the TypeScript `FlowSet` with a budget regulator and no jitter of
refills, no other user of the budget, no stalls. Writes {"results": {task: [...]}, "seconds": {task: [processor time of each run]}}; a task is a
scheduler, what is computed, and an analysis, such as "fp bounds A4". Reading and writing are not timed.
"""

import json
import sys
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf
from time import process_time

ROUNDING = 1e-12
LONG_ITERATION = 6
CLEAR = 1e-9

# exact supply, true chunk sizes, last chunk apart, overhead uncharged, overhead delays exhaustion
ANALYSES = {
    "A0": (False, False, False, False, False),
    "A3": (True, True, True, True, False),
    "A4": (True, True, True, True, True),
}


@dataclass
class Cost:
    """A flow and what one of its messages and chunks costs."""

    period: int
    deadline: int
    jitter: int
    work: int
    overhead: int
    last: int
    longest: int


class Model:
    """The flows with their costs, the debt, and the supplies (P, Q, first blackout)."""

    def __init__(self, flow_set, analysis):
        self.exact, true_sizes, self.apart, self.uncharged, delays = ANALYSES[analysis]
        flows, dma, regulator = flow_set["flows"], flow_set["dma"], flow_set["regulator"]
        size, beta = dma["chunkBytes"], dma["dmaBytesPerNs"]
        best, self.h = dma["chunkOverheadNs"]
        message = dma["messageOverheadNs"]
        full = ceil(size / beta)
        self.flows = []
        for flow in flows:
            length = flow["lengthBytes"]
            chunks = ceil(length / size)
            last = ceil((length - (chunks - 1) * size) / beta) if true_sizes else full
            self.flows.append(
                Cost(
                    period=flow["periodNs"],
                    deadline=flow["deadlineNs"],
                    jitter=flow.get("jitterNs", 0),
                    work=(chunks - 1) * full + last,
                    overhead=chunks * self.h + message,
                    last=last,
                    longest=full if chunks > 1 else last,
                )
            )
        self.block_overhead = self.h + message
        c_max = max(flow.longest for flow in self.flows)
        p, q = regulator["periodNs"], regulator["budgetNs"]
        self.supply = (p, q, p - q)
        self.debt = 0 if q == p else c_max - (1 if true_sizes else 0)
        self.delayed = None
        self.delayed_debt = 0
        if delays and q < p:
            delayed = min(p, q + max(0, ceil(q / c_max) - 1) * best)
            self.delayed = (p, delayed, p - delayed)
            self.delayed_debt = 0 if delayed == p else self.debt

    def tail(self, flow):
        """Copying and software of a last chunk that is set apart."""
        return (flow.last, self.h) if self.apart else (0, 0)

    def invert(self, work, software):
        return self.start_after(work, software) if self.apart else self.finish_of(work, software)

    def start_after(self, work, software):
        """inv(Wd, Wo): when work behind these surely starts."""
        if not self.exact:
            return self.linear(work, software)
        p, q, first = self.supply
        if self.uncharged:
            x = work + self.debt
            plain = software + x + first + x // q * (p - q)
        else:
            x = work + software + self.debt
            plain = x + first + x // q * (p - q)
        if self.delayed is None:
            return plain
        p, q, first = self.delayed
        x = work + software + self.delayed_debt
        return min(plain, x + first + x // q * (p - q))

    def finish_of(self, work, software):
        """inv-(Wd, Wo): when these are surely finished."""
        if not self.exact:
            return self.linear(work, software)
        if self.uncharged:
            plain = software + inverse(self.supply, work + self.debt)
        else:
            plain = inverse(self.supply, work + software + self.debt)
        if self.delayed is None:
            return plain
        return min(plain, inverse(self.delayed, work + software + self.delayed_debt))

    def linear(self, work, software):
        if self.uncharged:
            plain = software + line_inverse(self.supply, work + self.debt)
        else:
            plain = line_inverse(self.supply, work + software + self.debt)
        if self.delayed is None:
            return plain
        return min(plain, line_inverse(self.delayed, work + software + self.delayed_debt))

    def slack(self, supply, uncharged, flows):
        """Share of time left in the long run; the sign is exact."""
        p, q, _ = supply
        stretch = p / q
        charge = 1 if uncharged else stretch
        left = 1.0
        for flow in flows:
            left -= (flow.work * stretch + flow.overhead * charge) / flow.period
        if abs(left) > CLEAR:
            return left
        exact = Fraction(1)
        for flow in flows:
            overhead = Fraction(flow.overhead) if uncharged else Fraction(flow.overhead * p, q)
            exact -= (Fraction(flow.work * p, q) + overhead) / flow.period
        return float(exact)

    def converges(self, flows, ahead):
        if self.outruns(self.supply, self.debt, self.uncharged, flows, ahead):
            return True
        return self.delayed is not None and self.outruns(self.delayed, self.delayed_debt, False, flows, ahead)

    def outruns(self, supply, debt, uncharged, flows, ahead):
        left = self.slack(supply, uncharged, flows)
        if left != 0:
            return left > 0
        p, q, first = supply
        return p == q and ahead + first + debt + sum(flow.jitter for flow in flows) == 0


def inverse(supply, work):
    p, q, first = supply
    return 0 if work <= 0 else work + first + (work - 1) // q * (p - q)


def line_inverse(supply, work):
    p, q, first = supply
    return 0 if work <= 0 else first + p - q + -(-work * p // q)


# Fixed priority: flows in the order of their urgency, so that those before `at` may go first


def fp_blocking(model, flows, at):
    lower = flows[at + 1 :]
    return max((flow.longest for flow in lower), default=0), model.block_overhead if lower else 0


def fp_response(model, flows, at):
    """Response bound; inf without one."""
    flow, higher = flows[at], flows[:at]
    block, software = fp_blocking(model, flows, at)
    if not model.converges(flows[: at + 1], block + software):
        return inf
    tail_work, tail_software = model.tail(flow)
    tail = tail_work + tail_software
    open_interval = 0 if model.apart else 1
    worst = start = 0
    q = 1
    while True:
        release = (q - 1) * flow.period
        work, overhead = block + q * flow.work, software + q * flow.overhead
        start = settle(model, higher, work - tail_work, overhead - tail_software, start, open_interval, inf)
        worst = max(worst, start + tail - release + flow.jitter)
        following = release + flow.period - flow.jitter
        if is_within(model, higher, work, overhead, max(1, start + tail), 1, following):
            return worst
        q += 1


def fp_meets(model, flows, at):
    """Is the response within the deadline? For each message only whether it starts in time."""
    flow, higher = flows[at], flows[:at]
    block, software = fp_blocking(model, flows, at)
    if not model.converges(flows[: at + 1], block + software):
        return False
    tail_work, tail_software = model.tail(flow)
    latest = flow.deadline - flow.jitter - tail_work - tail_software
    open_interval = 0 if model.apart else 1
    q = 1
    while True:
        release = (q - 1) * flow.period
        work, overhead = block + q * flow.work, software + q * flow.overhead
        if not is_within(
            model, higher, work - tail_work, overhead - tail_software, 0, open_interval, latest + release
        ):
            return False
        if is_within(model, higher, work, overhead, 1, 1, release + flow.period - flow.jitter):
            return True
        q += 1


def is_within(model, higher, work, software, start, open_interval, latest):
    """Is the least fixed point no more than `latest`?"""
    if latest < start:
        return False
    if fp_next(model, higher, work, software, latest - open_interval) <= latest:
        return True
    return settle(model, higher, work, software, start, open_interval, latest) <= latest


def settle(model, higher, work, software, start, open_interval, latest):
    """Least fixed point from `start` on; stops beyond `latest`."""
    rounds = 0
    while start <= latest:
        rounds += 1
        following = fp_next(model, higher, work, software, start - open_interval)
        if following <= start:
            return start
        start = following
        if rounds == LONG_ITERATION:
            start = max(start, surely(model, work, software, [(flow, inf) for flow in higher]))
    return start


def fp_next(model, higher, work, software, seen):
    for flow in higher:
        messages = (seen + flow.jitter) // flow.period + 1
        work += messages * flow.work
        software += messages * flow.overhead
    return model.invert(work, software)


def fp_response_as_written(model, flows, at):
    """The same bound without any shortcut: the busy period first, then the start of each message's last chunk, from 0."""
    flow, higher = flows[at], flows[:at]
    block, software = fp_blocking(model, flows, at)
    if not model.converges(flows[: at + 1], block + software):
        return inf
    busy = iterate(model, flows[: at + 1], block, software, 1, 1)
    tail_work, tail_software = model.tail(flow)
    worst = 0
    for q in range(1, -(-(busy + flow.jitter) // flow.period) + 1):
        work, overhead = block + q * flow.work - tail_work, software + q * flow.overhead - tail_software
        start = iterate(model, higher, work, overhead, 0, 0 if model.apart else 1)
        worst = max(worst, start + tail_work + tail_software - (q - 1) * flow.period + flow.jitter)
    return worst


def iterate(model, higher, work, software, start, open_interval):
    while True:
        following = fp_next(model, higher, work, software, start - open_interval)
        if following <= start:
            return start
        start = following


# Starting points


def surely(model, work, software, caps):
    """A lower bound of the least fixed point, from straight lines; `caps` are the flows with a most of messages each."""
    p, q, _ = model.supply
    start = solve(model.supply, work + model.debt, software, caps, 1 if model.uncharged else p / q)
    if model.delayed is not None:
        p, q, _ = model.delayed
        start = min(start, solve(model.delayed, work + model.delayed_debt, software, caps, p / q))
    return floor(start) if start > 0 else 0


def solve(supply, work, software, caps, charge):
    p, q, first = supply
    stretch = p / q
    start, active = inf, -1
    while True:
        w, o, slack, below = work, software, 1.0, 0
        for flow, cap in caps:
            if cap == inf or cap * flow.period > start + flow.jitter:
                below += 1
                w += flow.jitter * flow.work / flow.period
                o += flow.jitter * flow.overhead / flow.period
                slack -= (flow.work * stretch + flow.overhead * charge) / flow.period
            else:
                w += cap * flow.work
                o += cap * flow.overhead
        solution = (w * stretch + o * charge + first - p + q) * (1 - ROUNDING) / (max(0, slack) + ROUNDING)
        if below == active:
            return solution
        active, start = below, solution


# Earliest deadline first


def deadlines_met(model):
    """Quick processor-demand analysis on the supply."""
    horizon = demand_horizon(model)
    if horizon == inf:
        return False
    point = last_deadline_before(model, horizon + 1)
    while point is not None:
        finish = demand_finish(model, point)
        if finish > point:
            return False
        point = last_deadline_before(model, finish)
    return True


def demand_finish(model, point):
    work = software = block = block_software = 0
    for flow in model.flows:
        offset = flow.deadline - flow.jitter
        if offset <= point:
            messages = (point - offset) // flow.period + 1
            work += messages * flow.work
            software += messages * flow.overhead
        else:
            block = max(block, flow.longest)
            block_software = model.block_overhead
    return model.finish_of(work + block, software + block_software)


def demand_horizon(model):
    latest = max(flow.deadline - flow.jitter for flow in model.flows)
    horizon = horizon_of(model, model.supply, model.debt, model.uncharged)
    if model.delayed is not None:
        horizon = min(horizon, horizon_of(model, model.delayed, model.delayed_debt, False))
    return max(0, latest, horizon)


def horizon_of(model, supply, debt, uncharged):
    slack = model.slack(supply, uncharged, model.flows)
    if slack < 0:
        return inf
    p, q, first = supply
    stretch = p / q
    charge = 1 if uncharged else stretch
    constant = first + debt * stretch + (0 if model.exact else p - q)
    for flow in model.flows:
        early = 1 - (flow.deadline - flow.jitter) / flow.period
        constant += early * (flow.work * stretch + flow.overhead * charge)
    if slack == 0:
        return 0 if constant <= 0 else inf
    return ceil(max(0, constant + 1) * (1 + 1e-6) / slack)


def last_deadline_before(model, time):
    last = None
    for flow in model.flows:
        offset = flow.deadline - flow.jitter
        if offset < time:
            point = offset + (time - 1 - offset) // flow.period * flow.period
            last = point if last is None else max(last, point)
    return last


def deadline_responses(model):
    """Response bounds under EDF, all None where demand outruns supply."""
    busy = longest_busy_period(model)
    if busy == inf:
        return [None] * len(model.flows)
    return [deadline_response(model, flow, busy) for flow in model.flows]


def deadline_response(model, flow, busy):
    earliest = -flow.jitter
    tail = sum(model.tail(flow))
    first = deadline_start(model, window(model, flow, earliest), 0)
    worst = first + tail - earliest
    release = last_release_before(model, flow, busy)
    while release is not None and release > earliest:
        opened = window(model, flow, release)
        no_worse = release + worst - tail
        start = deadline_next(model, opened, no_worse)
        if start > no_worse:
            start = deadline_start(model, opened, first)
            worst = max(worst, start + tail - release)
        release = last_release_before(model, flow, min(release, start + tail - worst))
    return worst


def window(model, flow, release):
    """What is in the window of a message in any case, and of the others the last release in time and the messages in time."""
    latest = release + flow.deadline
    block, block_software = deadline_blocking(model, latest)
    instance = (release + flow.jitter) // flow.period + 1
    tail_work, tail_software = model.tail(flow)
    work = block + instance * flow.work - tail_work
    software = block_software + instance * flow.overhead - tail_software
    urgent = []
    for other in model.flows:
        in_time = latest - other.deadline
        if other is not flow and in_time + other.jitter >= 0:
            urgent.append((other, in_time, (in_time + other.jitter) // other.period + 1))
    return work, software, urgent


def deadline_next(model, opened, start):
    work, software, urgent = opened
    queued = start if model.apart else start - 1
    for flow, in_time, cap in urgent:
        messages = (queued + flow.jitter) // flow.period + 1 if queued < in_time else cap
        work += messages * flow.work
        software += messages * flow.overhead
    return model.invert(work, software)


def deadline_start(model, opened, start):
    rounds = 0
    while True:
        rounds += 1
        following = deadline_next(model, opened, start)
        if following <= start:
            return start
        start = following
        if rounds == LONG_ITERATION:
            work, software, urgent = opened
            start = max(start, surely(model, work, software, [(flow, cap) for flow, _, cap in urgent]))


def deadline_blocking(model, latest):
    block = software = 0
    for flow in model.flows:
        if flow.deadline - flow.jitter > latest:
            block = max(block, flow.longest)
            software = model.block_overhead
    return block, software


def longest_busy_period(model):
    block, software = deadline_blocking(model, min(flow.deadline - flow.jitter for flow in model.flows))
    if not model.converges(model.flows, block + software):
        return inf
    length = max(1, surely(model, block, software, [(flow, inf) for flow in model.flows]))
    while True:
        following = fp_next(model, model.flows, block, software, length - 1)
        if following <= length:
            return length
        length = following


def last_release_before(model, flow, time):
    last = None
    for other in model.flows:
        first = other.deadline - other.jitter - flow.deadline
        if first < time:
            release = first + (time - 1 - first) // other.period * other.period
            last = release if last is None else max(last, release)
    return None if last is None or last < -flow.jitter else last


# Tasks


def by_urgency(model):
    """Deadline-monotonic, ties by position."""
    return sorted(model.flows, key=lambda flow: flow.deadline - flow.jitter)


def fp_verdict(flow_set, analysis):
    model = Model(flow_set, analysis)
    flows = by_urgency(model)
    # The least urgent is the one most likely to miss.
    return all(fp_meets(model, flows, at) for at in reversed(range(len(flows))))


def fp_bounds(flow_set, analysis, response=fp_response):
    model = Model(flow_set, analysis)
    flows = by_urgency(model)
    bounds = {id(flow): response(model, flows, at) for at, flow in enumerate(flows)}
    return [None if bounds[id(flow)] == inf else bounds[id(flow)] for flow in model.flows]


def fp_bounds_as_written(flow_set, analysis):
    return fp_bounds(flow_set, analysis, fp_response_as_written)


def edf_verdict(flow_set, analysis):
    return deadlines_met(Model(flow_set, analysis))


def edf_bounds(flow_set, analysis):
    return deadline_responses(Model(flow_set, analysis))


TASKS = {
    "fp verdict": fp_verdict,
    "fp bounds": fp_bounds,
    "fp bounds as written": fp_bounds_as_written,
    "edf verdict": edf_verdict,
    "edf bounds": edf_bounds,
}


def main():
    given = json.load(sys.stdin)
    sets = given["sets"]
    results, seconds = {}, {}
    for name, task in TASKS.items():
        for analysis in ANALYSES:
            key = f"{name} {analysis}"
            seconds[key] = []
            for _ in range(given["runs"]):
                begin = process_time()
                results[key] = [task(flow_set, analysis) for flow_set in sets]
                seconds[key].append(process_time() - begin)
    json.dump({"results": results, "seconds": seconds}, sys.stdout)


main()
