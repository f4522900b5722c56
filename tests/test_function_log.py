from __future__ import annotations

from linarite.errors import UserCodeFailed
from linarite.function_log import failure_text

DETAILS = '{"$type":"System.Exception, System.Private.CoreLib","ClassName":"System.Exception","Message":"ValueError: no"}'
STACK = f"""Traceback (most recent call last):
  File "/app/.venv/lib/python3.11/site-packages/azure/durable_functions/models/TaskOrchestrationExecutor.py", line 259, in resume_user_code
    task_value) if task_succeeded else self.generator.throw(task_value)
                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/functions/orders.py", line 40, in place_order
    reservation = yield context.call_activity("Reserve", order)
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
Exception: Activity function 'Reserve' failed: ValueError: no \n {DETAILS}

The above exception was the direct cause of the following exception:

  File "/app/.venv/lib/python3.11/site-packages/azure/durable_functions/orchestrator.py", line 74, in handle
    return Orchestrator(fn).handle(ctx)
"""


def test_a_failed_orchestrator_is_shown_with_its_own_frames_and_without_what_the_sdk_tells_the_host() -> None:
    reason = f"Activity function 'Reserve' failed: ValueError: no \n {DETAILS}"
    error = UserCodeFailed("Exception", f'{reason}\n\n$OutOfProcData$:{{"isDone": false}}', STACK)
    assert failure_text(error).splitlines() == [
        "Result: Failure",
        "Exception: Exception: Activity function 'Reserve' failed: ValueError: no",
        "Stack: Traceback (most recent call last):",
        '  File "/app/functions/orders.py", line 40, in place_order',
        '    reservation = yield context.call_activity("Reserve", order)',
        "                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "Exception: Activity function 'Reserve' failed: ValueError: no",
    ]


def test_any_other_failure_is_shown_whole() -> None:
    error = UserCodeFailed(
        "ValueError", "no\n\nreally", 'Traceback (most recent call last):\n  File "/app/x.py", line 1, in f\n    raise\n'
    )
    assert failure_text(error) == f"Result: Failure\nException: ValueError: no\n\nreally\nStack: {error.stack}"
