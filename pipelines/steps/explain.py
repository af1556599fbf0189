"""An explainer over a look: why the model answered some of the window's rows as it did."""

from collections.abc import Sequence

from core.errors import StepFailed
from core.findings import Explanation
from explainers import Attribution, Explainer, Question
from pipelines.steps.task import StepResult, Task
from storage.windows.rows import Choice, Matrix, matrix, numeric

# Reference rows to compare with; the model is called for each of them, many times.
BACKGROUND_ROWS = 100


def explain(task: Task, explainer: Explainer) -> StepResult:
    """The rows that scored highest in the step before, when that one scored rows; else the newest."""
    ranked = sorted(task.before.scores, key=lambda scored: (-scored.score, scored.id))
    ids = [scored.id for scored in ranked[: task.step.rows]] or None
    window, engine = task.look.window.relation, task.look.engine
    rows = matrix(engine, window, sorted(numeric(engine, window)), Choice(task.step.rows, "newest", ids=ids))
    background, output = _background(task, rows.fields), _output(task)
    explanations: list[Explanation] = []
    for version in sorted(set(rows.versions)):
        chosen = [at for at, of in enumerate(rows.versions) if of == version]
        question = Question(rows.values[chosen], background.values, rows.fields, output)
        predict = task.predictor(task.subject.model, version)
        answers = task.call(explainer.heavy, explainer.explain, question, predict)
        asked = [(rows.ids[at], version) for at in chosen]
        explanations += [_explanation(task, row, question, a) for row, a in zip(asked, answers, strict=True)]
    return StepResult(explanations=explanations)


def _background(task: Task, fields: Sequence[str]) -> Matrix:
    look = task.look
    if lacking := set(fields) - numeric(look.engine, look.reference.relation):
        raise StepFailed(f"the reference has no numbers for {', '.join(sorted(lacking))}")
    return matrix(look.engine, look.reference.relation, fields, Choice(BACKGROUND_ROWS, "weighted"))


def _output(task: Task) -> str:
    """The one that the step's option `output` names, else the first by name."""
    outputs = sorted(numeric(task.look.engine, task.look.window.relation, "output"))
    wanted = task.step.options.get("output", outputs[0] if outputs else None)
    if wanted not in outputs:
        raise StepFailed(f"the model has no numeric output '{wanted}'; it has: {', '.join(outputs) or 'none'}")
    return str(wanted)


def _explanation(task: Task, row: tuple[str, str], question: Question, answer: Attribution) -> Explanation:
    model = task.subject.model
    return Explanation(
        id=row[0],
        namespace=model.namespace,
        model=model.model,
        version=row[1],
        explainer=task.step.use,
        output=question.output,
        prediction=answer.prediction,
        baseline=answer.baseline,
        values=dict(zip(question.fields, answer.values.tolist(), strict=True)),
        errors=dict(zip(question.fields, answer.errors.tolist(), strict=True)),
        model_calls=answer.model_calls,
        monitor=task.subject.monitor.name,
        run=task.subject.run,
    )
