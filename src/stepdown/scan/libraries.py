"""Which names of which library make a client, and which of its methods call a model."""

from collections.abc import Mapping

__all__ = [
    "CLIENTS",
    "FUNCTIONS",
    "LANGCHAIN_MODELS",
    "METHODS",
    "MODULE_CLIENTS",
    "SAME",
    "THREADS",
    "WRAPPERS",
]

CLIENTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("openai.OpenAI", "openai.AsyncOpenAI", "openai.Client", "openai.AsyncClient"),
            *("openai.AzureOpenAI", "openai.AsyncAzureOpenAI"),
            *("langfuse.openai.OpenAI", "langfuse.openai.AsyncOpenAI"),
        ),
        "openai",
    ),
    **dict.fromkeys(
        (
            *("anthropic.Anthropic", "anthropic.AsyncAnthropic", "anthropic.Client"),
            *("anthropic.AnthropicBedrock", "anthropic.AsyncAnthropicBedrock"),
            *("anthropic.AnthropicVertex", "anthropic.AsyncAnthropicVertex"),
        ),
        "anthropic",
    ),
    **dict.fromkeys(
        (
            "google.genai.Client",
            "google.generativeai.GenerativeModel",
            "vertexai.generative_models.GenerativeModel",
        ),
        "google-genai",
    ),
    "litellm.Router": "litellm",
    "pydantic_ai.Agent": "pydantic-ai",
    **dict.fromkeys(
        (
            *("dspy.Predict", "dspy.ChainOfThought", "dspy.ReAct", "dspy.ProgramOfThought"),
            *("dspy.CodeAct", "dspy.BestOfN", "dspy.Refine", "dspy.MultiChainComparison"),
        ),
        "dspy",
    ),
}
"""What makes a client when it is called, by its full name."""

WRAPPERS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("instructor.from_openai", "instructor.from_anthropic", "instructor.from_litellm"),
            *("instructor.from_genai", "instructor.from_gemini", "instructor.from_provider"),
            *("instructor.patch", "instructor.apatch", "instructor.Instructor"),
        ),
        "instructor",
    ),
    "langsmith.wrappers.wrap_openai": "openai",
}
"""What makes another client out of one."""

LANGCHAIN_MODELS = frozenset(
    (
        *("AzureChatOpenAI", "ChatAnthropic", "ChatBedrock", "ChatBedrockConverse", "ChatCohere"),
        *("ChatDeepSeek", "ChatFireworks", "ChatGoogleGenerativeAI", "ChatGroq", "ChatLiteLLM"),
        *("ChatHuggingFace", "ChatMistralAI", "ChatNVIDIA", "ChatOllama", "ChatOpenAI"),
        *("ChatPerplexity", "ChatTogether", "ChatVertexAI", "ChatXAI", "LLMChain", "OpenAI"),
        *("create_agent", "create_react_agent", "init_chat_model"),
        *("BaseChatModel", "BaseLLM", "BaseLanguageModel"),
    )
)
"""Names that LangChain's packages make models, chains and agents by, and annotate them with."""

MODULE_CLIENTS: Mapping[str, str] = {"openai": "openai", "anthropic": "anthropic"}
"""Modules that are clients themselves: `openai.chat.completions.create`."""

_LITELLM = (
    *("completion", "acompletion", "text_completion", "atext_completion"),
    *("responses", "aresponses"),
)

FUNCTIONS: Mapping[str, str] = {
    **dict.fromkeys((f"litellm.{name}" for name in _LITELLM), "litellm"),
    **dict.fromkeys(
        (
            *("openai.ChatCompletion.create", "openai.ChatCompletion.acreate"),
            *("openai.Completion.create", "openai.Completion.acreate"),
        ),
        "openai",
    ),
}
"""Functions that call a model, by their full names."""

_CHAT = ("create", "parse", "stream")

METHODS: Mapping[str, frozenset[str]] = {
    "openai": frozenset(
        (
            *(f"chat.completions.{verb}" for verb in _CHAT),
            *(f"beta.chat.completions.{verb}" for verb in _CHAT),
            *(f"responses.{verb}" for verb in _CHAT),
            "completions.create",
        )
    ),
    "anthropic": frozenset(
        (
            *(f"messages.{verb}" for verb in _CHAT),
            *(f"beta.messages.{verb}" for verb in _CHAT),
            "completions.create",
        )
    ),
    "google-genai": frozenset(
        (
            *("models.generate_content", "models.generate_content_stream"),
            *("aio.models.generate_content", "aio.models.generate_content_stream"),
            *("generate_content", "generate_content_async"),
            *("send_message", "send_message_stream", "send_message_async"),
        )
    ),
    "litellm": frozenset(_LITELLM),
    "instructor": frozenset(
        (
            *("chat.completions.create", "chat.completions.create_with_completion"),
            *("chat.completions.create_partial", "chat.completions.create_iterable"),
            *("messages.create", "create", "create_with_completion", "create_partial"),
            *("create_iterable", "responses.create"),
        )
    ),
    "langchain": frozenset(
        (
            *("invoke", "ainvoke", "stream", "astream", "batch", "abatch", "generate"),
            *("agenerate", "predict", "apredict", "run", "arun", ""),
        )
    ),
    "pydantic-ai": frozenset(("run", "run_sync", "run_stream", "run_stream_sync", "iter")),
    "dspy": frozenset(("", "acall", "forward", "aforward")),
}
"""A client's methods that call a model; "" is calling the client itself."""

SAME = frozenset(
    (
        *("with_options", "with_structured_output", "bind_tools", "bind", "with_config"),
        *("with_retry", "with_fallbacks", "copy", "start_chat"),
    )
)
"""Methods that give a client of the same kind."""

THREADS = frozenset(
    (
        *("asyncio.to_thread", "anyio.to_thread.run_sync"),
        *("starlette.concurrency.run_in_threadpool", "fastapi.concurrency.run_in_threadpool"),
    )
)
"""Functions that call their first argument with the others."""
