"""The page at `/`: that the app runs, or why it does not.

Source: functions-host sections 1.9 and 3.7 (the two texts are the Functions host's; monitors look for them).
"""

from __future__ import annotations

from html import escape

from linarite.web.reply import Reply
from linarite.web.site import Site

_TITLE = "Your Azure Function App is up and running."
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 4rem auto; padding: 0 1rem; color: #1a2b4a }}
pre {{ background: #fdf0ef; border-left: 4px solid #c0392b; padding: 1rem; white-space: pre-wrap }}
@media (prefers-color-scheme: dark) {{ body {{ background: #10182b; color: #dfe7f5 }} pre {{ background: #33191a }} }}
</style>
</head>
<body>
<h1>{heading}</h1>
{content}
</body>
</html>
"""


def homepage(site: Site) -> Reply:
    """200, with the errors of an app that could not be loaded; 503 where the Functions host answers 503; 204 if it is switched off."""
    if site.settings.flag("AzureWebJobsDisableHomepage") and site.state != "Error":
        return Reply(204)
    problems = "\n".join(f"<pre>{escape(error)}</pre>" for error in site.errors)
    if site.state == "Error":
        page = _PAGE.format(title="The function app is not running.", heading="Function host is not running.", content=problems)
        return Reply(503, [(b"content-type", b"text/html; charset=utf-8")], page.encode())
    if site.errors:
        problems = f"<p>None of the app's functions could be loaded. On Azure you would only see 404.</p>\n{problems}"
    page = _PAGE.format(title=_TITLE, heading="Your Functions 4.0 app is up and running", content=problems)
    return Reply(200, [(b"content-type", b"text/html")], page.encode())
