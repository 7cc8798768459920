"""Ask judge models the questions about results, and read their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.events import Usage
from reviewbot.eval.cases import Golden
from reviewbot.eval.judgements import Judgement, Verdict
from reviewbot.eval.results import Comment, Result, known_sum
from reviewbot.eval.run import within_budget
from reviewbot.models.base import ModelFault
from reviewbot.models.catalog import cost_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.judgements import Item, JudgementKey
    from reviewbot.eval.questions import Question
    from reviewbot.eval.run import Spending, Work
    from reviewbot.models.summary import SummaryModel

MAX_TOKENS: Final = 8_000
MAX_ITEMS: Final = 40
"""Items of one request, which must fit in the window of a judge; others are not accepted."""
_CHARS_PER_TOKEN: Final = 3
_ANSWER_TOKENS: Final = 200
"""Output of one request, for the estimate of the cost."""
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"number": {"type": "integer"}, "answer": {"type": "boolean"}},
                "required": ["number", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["verdicts"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class JudgeTask:
    """A question to a judge about a result."""

    model: SummaryModel
    question: Question
    result: Result
    items: tuple[Item, ...]
    prompt: str

    @property
    def key(self) -> JudgementKey:
        """The key of its judgement."""
        return (
            self.model.info.name,
            self.question.kind,
            *self.result.key,
            self.result.digest,
        )

    @property
    def expected_usd(self) -> float | None:
        """Expected cost in US dollars; None if the model has no known price."""
        tokens = len(self.prompt + self.question.system) // _CHARS_PER_TOKEN
        return cost_usd(self.model.info, Usage(input=tokens, output=_ANSWER_TOKENS))


def expected_usd(tasks: Iterable[JudgeTask]) -> float | None:
    """Return the expected cost of all tasks in US dollars; None if one is not known."""
    return known_sum([task.expected_usd for task in tasks])


def expected_results(work: Iterable[Work]) -> list[Result]:
    """Return results to estimate the cost of judges with, before the reviews are made.

    Each result has a comment for each golden comment, and one comment for a clean case.
    """
    found = []
    for one in work:
        golden = one.case.golden or (Golden(parse_diff(one.case.data)[0].path, 1, 1),)
        comments = (Comment(g.path, g.line, g.end_line, g.side, text=g.text) for g in golden)
        found.append(Result(*one.key, comments=tuple(comments)))
    return found


def judge_tasks(
    models: Sequence[SummaryModel],
    questions: Sequence[Question],
    cases: Iterable[Case],
    results: Iterable[Result],
    done: Collection[JudgementKey],
) -> list[JudgeTask]:
    """Return what the judges have to decide.

    Args:
        models: the judges.
        questions: the questions to ask.
        cases: the cases.
        results: the results of all contestants.
        done: keys of judgements that exist.

    Raises:
        ReviewbotError: a text cannot be searched for secrets.
    """
    by_id = {case.id: case for case in cases}
    tasks: list[JudgeTask] = []
    for result in results:
        case = by_id.get(result.case)
        for question in questions if case else ():
            items = question.items(case, result)[:MAX_ITEMS] if case else []
            if case is None or not items:
                continue
            prompt = question.prompt(case, result, items)
            tasks += [JudgeTask(model, question, result, tuple(items), prompt) for model in models]
    return [task for task in tasks if task.key not in done]


async def judge(
    tasks: Sequence[JudgeTask],
    take: Callable[[Judgement], None],
    *,
    jobs: int,
    spending: Spending,
) -> bool:
    """Ask the judges, and return whether the budget was enough for all requests.

    Args:
        tasks: what to decide.
        take: gets each judgement when it is there.
        jobs: requests at a time.
        spending: gets the cost of each request; none is begun after its limit.

    Raises:
        SourceError: what ``take`` raised.
    """

    async def ask(task: JudgeTask) -> None:
        judgement = await _ask(task)
        spending.spent += judgement.cost_usd or 0.0
        take(judgement)

    return await within_budget(tasks, ask, jobs=jobs, spending=spending)


async def _ask(task: JudgeTask) -> Judgement:
    """Return the judgement of one request; one without a valid response has an error."""
    info = task.model.info
    used = [Usage()]
    try:
        answer = await task.model.answer_json(
            task.question.system,
            task.prompt,
            _SCHEMA,
            max_tokens=min(MAX_TOKENS, info.max_output),
            used=used.append,
        )
    except ModelFault as fault:
        return Judgement(*task.key, (), cost_usd(info, used[-1]), error=str(fault))
    verdicts = [
        Verdict(*task.items[number - 1], accepted=accepted)
        for number, accepted in _verdicts(answer, len(task.items)).items()
    ]
    return Judgement(*task.key, tuple(verdicts), cost_usd(info, used[-1]))


def _verdicts(value: Mapping[str, Any], count: int) -> dict[int, bool]:
    """Return the valid verdicts of a response by their number; the first one counts."""
    entries = value.get("verdicts")
    found: dict[int, bool] = {}
    for entry in entries if isinstance(entries, list) else []:
        match entry:
            case {"number": int(number), "answer": bool(accepted)} if (
                type(number) is int and 1 <= number <= count
            ):
                found.setdefault(number, accepted)
            case _:
                pass
    return found
