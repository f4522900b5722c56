"""A CRON timer: second, minute, hour, day, month, day of week."""

import logging

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *", run_on_startup=False, use_monitor=False)
def heartbeat(timer: func.TimerRequest) -> None:
    """Runs every five minutes."""
    logging.info("The timer is past due" if timer.past_due else "Still here")
