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

    def clearly(self, work_rate, overhead_rate):
        """Does demand of these rates stay below supply in the long run? None: too close for floats."""
        p, q, _ = self.supply
        stretch = p / q
        left = 1 - work_rate * stretch - overhead_rate * (1 if self.uncharged else stretch)
        if self.delayed is not None:
            p, q, _ = self.delayed
            left = max(left, 1 - (work_rate + overhead_rate) * p / q)
        return left > 0 if abs(left) > CLEAR else None

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


# Fixed priority


class Level:
    """One flow, those that may go first, and what can be ahead of its window."""

    def __init__(self, model, flow, higher, blocking, rates):
        self.model, self.flow, self.higher = model, flow, higher
        self.block, self.software = (blocking, model.block_overhead) if blocking > 0 else (0, 0)
        self.rates = rates
        self.tail_work, self.tail_software = model.tail(flow)
        self.open_interval = 0 if model.apart else 1

    def converges(self):
        clearly = self.model.clearly(*self.rates)
        if clearly is not None:
            return clearly
        return self.model.converges([*self.higher, self.flow], self.block + self.software)


def fp_levels(model):
    """By urgency, deadline-monotonic, ties by position; the least urgent, which is the one most likely to miss, first."""
    flows = sorted(model.flows, key=lambda flow: flow.deadline - flow.jitter)
    work_rate = overhead_rate = 0
    rates = []
    for flow in flows:
        work_rate += flow.work / flow.period
        overhead_rate += flow.overhead / flow.period
        rates.append((work_rate, overhead_rate))
    blocking = 0
    while flows:
        flow = flows.pop()
        yield Level(model, flow, flows, blocking, rates.pop())
        blocking = max(blocking, flow.longest)


def fp_response(level):
    """Response bound; inf without one."""
    if not level.converges():
        return inf
    model, flow, higher = level.model, level.flow, level.higher
    tail = level.tail_work + level.tail_software
    worst = start = 0
    q = 1
    while True:
        release = (q - 1) * flow.period
        work, overhead = level.block + q * flow.work, level.software + q * flow.overhead
        given = work - level.tail_work, overhead - level.tail_software
        start = settle(model, higher, *given, start, level.open_interval, inf)
        worst = max(worst, start + tail - release + flow.jitter)
        following = release + flow.period - flow.jitter
        if is_within(model, higher, work, overhead, max(1, start + tail), 1, following):
            return worst
        q += 1


def fp_meets(level):
    """Is the response within the deadline? For each message only whether it starts in time."""
    if not level.converges():
        return False
    model, flow, higher = level.model, level.flow, level.higher
    tail_work, tail_software = level.tail_work, level.tail_software
    start_by = flow.deadline - flow.jitter - tail_work - tail_software
    following = flow.period - flow.jitter
    # Of nearly all flows the first message surely starts in time, and is surely the last of its busy period: one pass for both.
    busy_work, busy_overhead = level.block + flow.work, level.software + flow.overhead
    work, overhead = busy_work - tail_work, busy_overhead - tail_software
    seen, busy_seen = start_by - level.open_interval, following - 1
    for other in higher:
        messages = (seen + other.jitter) // other.period + 1
        work += messages * other.work
        overhead += messages * other.overhead
        messages = (busy_seen + other.jitter) // other.period + 1
        busy_work += messages * other.work
        busy_overhead += messages * other.overhead
    starts = start_by >= 0 and model.invert(work, overhead) <= start_by
    ends = following >= 1 and model.invert(busy_work, busy_overhead) <= following
    return (starts and ends) or every_starts(level, start_by, starts, ends)


def every_starts(level, start_by, starts, ends):
    """Of each message of the busy period; what is known of the first is not looked at again."""
    model, flow, higher = level.model, level.flow, level.higher
    q = 1
    while True:
        release = (q - 1) * flow.period
        work, overhead = level.block + q * flow.work, level.software + q * flow.overhead
        given = work - level.tail_work, overhead - level.tail_software
        within = settles_within if q == 1 else is_within
        if not starts and not within(model, higher, *given, 0, level.open_interval, start_by + release):
            return False
        if ends or within(model, higher, work, overhead, 1, 1, release + flow.period - flow.jitter):
            return True
        starts = ends = False
        q += 1


def is_within(model, higher, work, software, start, open_interval, latest):
    """Is the least fixed point no more than `latest`? Surely if the right side is, there."""
    if latest < start:
        return False
    if fp_next(model, higher, work, software, latest - open_interval) <= latest:
        return True
    return settles_within(model, higher, work, software, start, open_interval, latest)


def settles_within(model, higher, work, software, start, open_interval, latest):
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


def fp_response_as_written(level):
    """The same bound without any shortcut: the busy period first, then the start of each message's last chunk, from 0."""
    model, flow, higher = level.model, level.flow, level.higher
    if not model.converges([*higher, flow], level.block + level.software):
        return inf
    busy = iterate(model, [*higher, flow], level.block, level.software, 1, 1)
    tail_work, tail_software = level.tail_work, level.tail_software
    worst = 0
    for q in range(1, -(-(busy + flow.jitter) // flow.period) + 1):
        work, overhead = level.block + q * flow.work - tail_work, level.software + q * flow.overhead - tail_software
        start = iterate(model, higher, work, overhead, 0, level.open_interval)
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
    before = horizon + 1
    while True:
        point, finish = demand_before(model, before)
        if point is None:
            return True
        if finish > point:
            return False
        before = finish


def demand_before(model, before):
    """The last deadline before that time, None if there is none, and when all that is due by it is finished."""
    point = None
    work = software = block = block_software = 0
    for flow in model.flows:
        span = before - 1 - flow.deadline + flow.jitter
        if span >= 0:
            periods = span // flow.period
            last = flow.deadline - flow.jitter + periods * flow.period
            if point is None or last > point:
                point = last
            work += (periods + 1) * flow.work
            software += (periods + 1) * flow.overhead
        else:
            block = max(block, flow.longest)
            block_software = model.block_overhead
    return point, None if point is None else model.finish_of(work + block, software + block_software)


def demand_horizon(model):
    p, q, _ = model.supply
    stretch = p / q
    charge = 1 if model.uncharged else stretch
    latest = 0
    plain_load = plain_early = load = early_sum = 0
    for flow in model.flows:
        offset = flow.deadline - flow.jitter
        frequency = 1 / flow.period
        early = 1 - offset * frequency
        plain = flow.work * stretch + flow.overhead * charge
        both = flow.work + flow.overhead
        plain_load += plain * frequency
        plain_early += plain * early
        load += both * frequency
        early_sum += both * early
        if offset > latest:
            latest = offset
    horizon = horizon_of(model, model.supply, model.debt, model.uncharged, 1 - plain_load, plain_early)
    if model.delayed is not None:
        p, q, _ = model.delayed
        stretch = p / q
        later = horizon_of(model, model.delayed, model.delayed_debt, False, 1 - load * stretch, early_sum * stretch)
        horizon = min(horizon, later)
    return max(latest, horizon)


def horizon_of(model, supply, debt, uncharged, rough_slack, early):
    slack = rough_slack if abs(rough_slack) > CLEAR else model.slack(supply, uncharged, model.flows)
    if slack < 0:
        return inf
    p, q, first = supply
    constant = early + first + debt * (p / q) + (0 if model.exact else p - q)
    if slack == 0:
        return 0 if constant <= 0 else inf
    return ceil(max(0, constant + 1) * (1 + 1e-6) / slack)


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


def fp_verdict(flow_set, analysis):
    return all(fp_meets(level) for level in fp_levels(Model(flow_set, analysis)))


def fp_bounds(flow_set, analysis, response=fp_response):
    model = Model(flow_set, analysis)
    bounds = {id(level.flow): response(level) for level in fp_levels(model)}
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
