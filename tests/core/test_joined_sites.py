"""Call sites and tasks, joined by the words of both."""

from stepdown.core.anatomy import Anatomy
from stepdown.core.joined_sites import join
from stepdown.core.sites import CallSite
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.core.templates import Template

WORDS = "Name the customer's concern in one word."


def task(name, *fragments, **more):
    signature = Signature(system=Template(fragments))
    anatomy = Anatomy("text", (), 1, 1.0, 1.0)
    return Task(name, name, signature, anatomy, Verdict("distil"), **more)


def site(line, *prompts):
    return CallSite("app.py", line, "openai", "chat.completions.create", prompts=prompts)


def test_the_same_words_belong_together_whatever_their_white_space():
    tasks = [task("concerns", WORDS), task("dates", "Find the date of the contract below: ", "")]
    report = join(
        [
            site(1, "Name the customer's\n   concern in one word."),
            site(2, "Find the date of the contract below: {}"),
            site(3, "Summarise the meeting for those who were away."),
            site(4, "{}"),
            site(5),
        ],
        tasks,
    )
    assert report.tasks == {"concerns": ("app.py:1",), "dates": ("app.py:2",)}
    assert report.silent == ("app.py:3",)
    assert report.unknown == ("app.py:4", "app.py:5")
    assert report.unplaced == ()


def test_a_task_without_a_site_is_listed():
    report = join([site(1, "Summarise the meeting for those away.")], [task("concerns", WORDS)])
    assert (report.unplaced, report.silent) == (("concerns",), ("app.py:1",))


def test_a_prompt_of_two_tasks_is_of_both():
    tasks = [task("a", WORDS, "tail a"), task("b", WORDS, "tail b")]
    assert join([site(1, WORDS)], tasks).tasks == {"a": ("app.py:1",), "b": ("app.py:1",)}


def test_where_the_log_tells_the_place_it_is_taken():
    tasks = [task("a", WORDS), task("b", "x", spend_by={"code": {"/srv/src/app.py:7": 1.0}})]
    report = join([site(7, WORDS), site(17, WORDS)], tasks)
    assert report.tasks == {"b": ("app.py:7",), "a": ("app.py:17",)}
