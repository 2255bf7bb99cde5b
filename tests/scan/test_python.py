"""Call sites in Python: every one is found, none is invented."""

import functools
import textwrap

import pytest

from stepdown.scan.python import python_sites
from stepdown.scan.scopes import read_code


def sites(code, files=None):
    known = {name: textwrap.dedent(text) for name, text in (files or {}).items()}

    @functools.cache
    def modules(name, file):
        return read_code(known[name], name).top if name in known else None

    return python_sites(textwrap.dedent(code), "app.py", modules)


def only(code, **more):
    (found,) = sites(code, **more)
    return found


CASES = {
    "openai chat.completions.create": """
        from openai import OpenAI
        client = OpenAI()
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi you"}])
        """,
    "openai responses.parse": """
        import openai as o
        class App:
            def __init__(self):
                self.llm = o.AsyncOpenAI()
            async def ask(self):
                return await self.llm.responses.parse(model="m", input="hi you")
        """,
    "openai chat.completions.stream": """
        from openai import OpenAI
        def ask(client: OpenAI | None = None):
            with client.chat.completions.stream(model="m", messages=(("user", "hi you"),)) as s:
                pass
        """,
    "openai beta.chat.completions.parse": """
        from openai import OpenAI
        def client():
            return OpenAI()
        def ask():
            msgs = [{"role": "user", "content": "hi you"}]
            client().with_options(timeout=3).beta.chat.completions.parse(model="m", messages=msgs)
        """,
    "openai ChatCompletion.create": """
        import openai
        openai.ChatCompletion.create(model="m", messages=[{"role": "user", "content": "hi you"}])
        """,
    "anthropic messages.create": """
        import anthropic
        class App:
            claude: anthropic.Anthropic
            def ask(self):
                self.claude.messages.create(model="m", max_tokens=9, messages=[], system="hi you")
        """,
    "google-genai models.generate_content": """
        from google import genai
        genai.Client().models.generate_content(model="m", contents="hi you")
        """,
    "google-genai generate_content": """
        import google.generativeai as palm
        model = palm.GenerativeModel("m")
        model.generate_content("hi you")
        """,
    "litellm completion": """
        from litellm import completion as ask
        ask(model="m", messages=[{"role": "user", "content": "hi you"}])
        """,
    "instructor chat.completions.create": """
        import instructor
        from openai import OpenAI
        client = instructor.from_openai(OpenAI())
        client.chat.completions.create(
            model="m", response_model=X, messages=[{"role": "user", "content": "hi you"}])
        """,
    "langchain invoke": """
        from langchain_openai import ChatOpenAI
        from langchain_core.prompts import ChatPromptTemplate
        prompt = ChatPromptTemplate.from_messages([("system", "hi you")])
        chain = prompt | ChatOpenAI(model="m") | parse
        chain.invoke({"x": 1})
        """,
    "pydantic-ai run_sync": """
        from pydantic_ai import Agent
        agent = Agent("m", system_prompt="hi you")
        agent.run_sync(text)
        """,
    "dspy call": """
        import dspy
        answer = dspy.ChainOfThought("hi you")
        answer(question="x", model="m")
        """,
}


@pytest.mark.parametrize("name", CASES)
def test_every_library(name):
    found = only(CASES[name])
    assert f"{found.library} {found.method}" == name
    assert (found.model, found.prompts) == ("m", ("hi you",))


@pytest.mark.parametrize(
    "code",
    [
        # Twilio's messages are sent, not asked.
        """
        from twilio.rest import Client
        Client().messages.create(to="1", from_="2", body="x")
        """,
        """
        import responses
        responses.add(responses.GET, "http://x")
        """,
        """
        from openai import OpenAI
        OpenAI().embeddings.create(model="m", input="x")
        OpenAI().files.create(file=f)
        """,
        """
        from langchain_core.prompts import ChatPromptTemplate
        ChatPromptTemplate.from_template("{x}").invoke({"x": 1})
        """,
        """
        import subprocess
        subprocess.run(["x"])
        """,
        """
        from pydantic_ai import Agent
        agent = Agent("m")
        @agent.tool
        def f(): ...
        """,
    ],
)
def test_none_is_invented(code):
    assert sites(code) == []


def test_a_receiver_that_nobody_can_tell_is_told_by_the_call():
    found = only("def f(c): c.llm.chat.completions.create(model=MODEL, messages=m)")
    assert (found.library, found.function, found.model) == ("openai", "f", None)
    assert sites("c.messages.create(model='m', messages=[], max_tokens=3)") != []
    assert sites("c.messages.create(body='x')") == []


def test_names_of_this_file_and_of_others():
    code = """
        from app.prompts import SYSTEM
        from openai import OpenAI
        MODEL = "gpt-4o"
        client = OpenAI()
        TOOLS = [{"type": "function", "function": {"name": "find"}}]
        class Router:
            def route(self, text):
                return client.chat.completions.create(
                    model=MODEL, tools=TOOLS, response_format=Label,
                    messages=[{"role": "system", "content": SYSTEM},
                              {"role": "user", "content": f"Ticket: {text}"}])
        """
    found = only(code, files={"app.prompts": "SYSTEM = 'Be ' + 'brief.'"})
    assert found.prompts == ("Be brief.", "Ticket: {}")
    assert (found.model, found.tools, found.schema) == ("gpt-4o", ("find",), "Label")
    assert (found.function, found.line) == ("Router.route", 9)


def test_two_clients_of_one_name_in_two_functions():
    code = """
        from openai import OpenAI
        from twilio.rest import Client
        def a():
            client = OpenAI()
            client.responses.create(model="m", input="x")
        def b():
            client = Client()
            client.messages.create(to="1", body="x")
        """
    assert [site.function for site in sites(code)] == ["a"]


@pytest.mark.parametrize("code", ["def f(:", "x = '\0'"])
def test_what_is_no_python_is_said(code):
    with pytest.raises((SyntaxError, ValueError)):
        sites(code)


def test_a_method_under_a_name_of_its_own_is_the_method():
    code = """
        from openai import OpenAI
        client = OpenAI()
        fn = client.chat.completions.create
        class App:
            def __init__(self, llm):
                self.chat = llm.chat
                self.ask = self.chat.completions.create
            def run(self):
                return self.ask(model="b", messages=[{"role": "user", "content": "hi you"}])
        def answer(text):
            return fn(model="a", messages=[{"role": "user", "content": text}])
        part = client.chat.completions
        part.create(model="c", messages=[])
        def odd():
            a = b.x
            b = a.y
            a(model="d")
            other = client.models.list
            other()
        """
    found = [(site.model, site.method, site.function) for site in sites(code)]
    assert found == [
        ("b", "chat.completions.create", "App.run"),
        ("a", "chat.completions.create", "answer"),
        ("c", "chat.completions.create", ""),
    ]


def test_a_partial_of_a_method_is_called_with_what_it_was_given():
    code = """
        import functools as ft
        from functools import partial
        from litellm import completion
        from openai import OpenAI
        client = OpenAI()
        ask = partial(client.chat.completions.create, model="a", tools=TOOLS, response_format=Bill)
        TOOLS = [{"function": {"name": "find"}}]
        class App:
            def __init__(self, llm):
                self.ask = ft.partial(llm.chat.completions.create, model="b")
            def run(self):
                return self.ask(messages=[{"role": "user", "content": "hi you"}])
        def answer(text):
            renamed = ask
            return renamed(messages=[{"role": "user", "content": text}])
        def other():
            return partial(ask, messages=[{"role": "user", "content": "both"}])(model="c")
        def at_once():
            return ft.partial(completion, "d", model="d")(messages=[("user", "hi all")])
        def given(loop):
            run = partial(loop.run_in_executor, None)
            return run(partial(client.responses.create, model="e", input="hi"))
        """
    found = [
        (s.function, s.line, s.method, s.model, s.prompts, s.tools, s.schema) for s in sites(code)
    ]
    method = "chat.completions.create"
    assert found == [
        ("App.run", 13, method, "b", ("hi you",), (), None),
        ("answer", 16, method, "a", (), ("find",), "Bill"),
        ("other", 18, method, "c", ("both",), ("find",), "Bill"),
        ("at_once", 20, "completion", "d", ("hi all",), (), None),
        ("given", 23, "responses.create", "e", ("hi",), (), None),
    ]


def test_a_partial_of_anything_else_is_no_call_site():
    code = """
        from functools import partial
        from openai import OpenAI
        from mine import partial as ours
        client = OpenAI()
        listed = partial(client.models.list, model="m")
        listed()
        partial(client.embeddings.create, model="m")(input="x")
        run(partial(print, client))
        make = partial(OpenAI, api_key="k")
        make()
        never_called = partial(client.chat.completions.create, model="m")
        ours(client.chat.completions.create, model="m")(messages=[])
        print(ours(client.chat.completions.create, model="m"))
        empty = partial()
        empty()
        loop = partial(loop, model="m")
        loop(messages=[])
        """
    assert sites(code) == []


def test_a_name_inside_hides_the_client_outside():
    code = """
        from anthropic import Anthropic
        from langchain_openai import ChatOpenAI
        from twilio.rest import Client as Twilio
        client = Anthropic()
        chain = model = box.llm = ChatOpenAI(model="gpt-4o")
        def boxed(box):
            return box.llm.invoke("z")
        class One:
            def __init__(self):
                self.llm = model
            class Inner:
                def inside(self):
                    return self.llm.invoke("z")
        class Two:
            def other(self):
                return self.llm.invoke("z")
        def sms(client: Twilio):
            return client.messages.create(body="hi", to="1")
        def middleware(chain, request):
            return chain.invoke(request)
        def loop(items):
            for model in items:
                model.predict(1)
            return [model.predict(1) for model in items]
        def train():
            from sklearn.svm import SVC
            model = SVC()
            return model.predict([[1]])
        def wrapped(chain: ChatOpenAI = None):
            return chain.invoke("x")
        def given(chain=model):
            return chain.invoke("y")
        """
    found = [(site.function, site.model) for site in sites(code)]
    assert found == [("wrapped", None), ("given", None)]


def test_a_parameters_own_default_is_the_client():
    code = """
        from langchain_openai import AzureChatOpenAI, ChatOpenAI
        llm = AzureChatOpenAI(azure_deployment="prod-4o")
        class W:
            def __init__(self, llm: "ChatOpenAI | None" = None):
                self.llm = llm or ChatOpenAI(model="gpt-4o-mini")
            def go(self, t):
                return self.llm.invoke(t)
        """
    assert only(code).model == "gpt-4o-mini"


def test_a_text_is_that_of_its_place_or_unknown():
    code = """
        from openai import OpenAI
        ask = OpenAI().responses.create
        def in_turn():
            prompt = "First about apples."
            ask(model="m", input=prompt)
            prompt = "Second about pears."
            ask(model="m", input=prompt)
        def either(t):
            prompt = "First about apples."
            if t:
                prompt = "Second about pears."
            ask(model="m", input=prompt)
        def given(prompt="Default of it"):
            ask(model="m", input=prompt)
        def longer(t):
            prompt = "First about apples."
            prompt += " And pears."
            ask(model="m", input=prompt)
        def listed(ts):
            messages = ["Be brief."]
            for t in ts:
                messages += [t]
                ask(model="m", input=messages)
        def models():
            for model in ("a", "b"):
                ask(model=model, input="In a loop.")
        """
    told = [(site.model, site.prompts, site.unseen) for site in sites(code)]
    assert told == [
        ("m", ("First about apples.",), 0),
        ("m", ("Second about pears.",), 0),
        ("m", (), 1),
        ("m", (), 1),
        ("m", ("First about apples. And pears.",), 0),
        ("m", ("Be brief.",), 1),
        (None, ("In a loop.",), 0),
    ]


def test_clients_and_texts_of_another_file():
    files = {
        "app.llm": """
            from langchain_openai import ChatOpenAI
            from openai import OpenAI
            MODEL = "gpt-4o"
            llm = ChatOpenAI(model=MODEL)
            def client() -> OpenAI: ...
            class Prompts:
                SYSTEM = "You judge whether it is grounded."
            other = 1
            """
    }
    code = """
        from app.llm import Prompts, client, llm, other
        MODEL = "of this file"
        llm.invoke("Translate the note.")
        client().responses.create(model="m", input=Prompts.SYSTEM)
        other.invoke("nothing")
        """
    assert [(site.model, site.prompts) for site in sites(code, files)] == [
        ("gpt-4o", ("Translate the note.",)),
        ("m", ("You judge whether it is grounded.",)),
    ]


def test_a_call_in_a_thread():
    code = """
        import asyncio
        from functools import partial
        from openai import OpenAI
        client = OpenAI()
        async def f(t):
            await asyncio.to_thread(client.responses.create, model="m", input="In a thread")
            await asyncio.to_thread(partial(client.responses.create, model="p"), input="In parts")
            await asyncio.to_thread(client.models.list, model="m")
            await asyncio.to_thread(t.create, model="m")
            await t.to_thread(client.responses.create, model="m", input="Who knows")
        """
    assert [(site.model, site.prompts) for site in sites(code)] == [
        ("m", ("In a thread",)),
        ("p", ("In parts",)),
    ]


def test_more_of_litellm_langchain_and_google():
    code = """
        import litellm
        from google import genai
        from google.genai import types
        from langchain.chains import LLMChain
        from langchain.prompts import PromptTemplate
        from langchain_core.language_models import BaseChatModel
        from langchain_openai import ChatOpenAI
        router = litellm.Router(model_list=[])
        router.completion(model="a", messages=[{"role": "user", "content": "By a router"}])
        router.get_model_list(model="a")
        def base(llm: BaseChatModel):
            llm.invoke("By any model")
        g = genai.Client()
        chat = g.aio.chats.create(model="b")
        chat.send_message("In a chat")
        chat.get_history()
        config = types.GenerateContentConfig(system_instruction="Detect languages.")
        g.models.generate_content(model="c", contents=text, config=config)
        prompt = PromptTemplate.from_template("Grade this.")
        chain = {"essay": len} | prompt | ChatOpenAI(model="d") | str
        chain.invoke(essay)
        LLMChain(llm=x, prompt=PromptTemplate(template="As a pirate.")).run(q)
        {"essay": len} | prompt | str
        """
    told = [(site.method, site.model, site.prompts) for site in sites(code)]
    assert told == [
        ("completion", "a", ("By a router",)),
        ("invoke", None, ("By any model",)),
        ("send_message", "b", ("In a chat",)),
        ("models.generate_content", "c", ("Detect languages.",)),
        ("invoke", "d", ("Grade this.",)),
        ("run", None, ("As a pirate.",)),
    ]


def test_messages_that_are_added_up_and_what_is_loaded_is_no_text():
    found = only("""
        from openai import OpenAI
        HEAD = [{"role": "system", "content": "Be brief."}]
        OpenAI().chat.completions.create(
            model="m", messages=HEAD + [
                {"role": "user", "content": load("prompts/user.txt")}, {"content": q}])
        """)
    assert (found.prompts, found.unseen) == (("Be brief.",), 2)


def test_names_that_stand_for_each_other_end():
    code = """
        from openai import OpenAI
        class C:
            def a(self):
                self.one = [*self.two, *self.two]
            def b(self):
                self.two = [*self.one, *self.one]
            def c(self):
                OpenAI().responses.create(model="m", input=self.one)
        """
    assert only(code).prompts == ()


def test_messages_put_together_of_themselves_end():
    head = "import openai\nc = openai.OpenAI()\np = [{'role': 'user', 'content': 'hello there'}]\n"
    for line in ("p = p + p", "p = [*p, *p, *p, *p]"):
        site = only(head + f"{line}\n" * 9 + "c.responses.create(model='m', input=p)\n")
        assert site.prompts == ("hello there",)
    site = only(head + "p = p + p\n" * 40 + "c.responses.create(model='m', input=p)\n")
    assert site.unseen == 1000
