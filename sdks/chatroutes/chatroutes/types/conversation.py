"""Conversations, their messages and branches: what the document names.

Answers are plain dicts with the names of the wire. Keys that nobody names here are
kept; those that not every server tells are `NotRequired`. Times are ISO 8601.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict

from chatloom.core.http import JSON

Role: TypeAlias = Literal["user", "assistant", "system", "tool"]
ContextMode: TypeAlias = Literal["FULL", "PARTIAL", "MINIMAL"]
"""What of a branch a model is told: the whole path, its recent part, or the branch alone."""
Filter: TypeAlias = Literal["all", "owned", "shared"]


class Money(TypedDict):
    """An amount: pico-dollars as an exact integer, US dollars as exact decimal text."""

    picodollars: int
    usd: str


class MessageMetadata(TypedDict, total=False):
    """How an answer came about.

    `responseTime` is in milliseconds, `cost` in dollars; nothing was rounded off `costExact`.
    `checkpoint_used` is the id of the checkpoint whose summary stood for what is before it.
    """

    model: str | None
    temperature: float | None
    maxTokens: int | None
    responseTime: int | None
    finishReason: str | None
    outcome: str | None
    cost: float | None
    costExact: Money
    turnId: str | None
    protocol: str | None
    context_mode: ContextMode | None
    context_truncated: bool | None
    checkpoint_used: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    context_message_count: int | None
    toolCalls: list[dict[str, JSON]] | None
    parts: list[dict[str, JSON]] | None


class Message(TypedDict):
    """A message. A deleted one keeps its place in the tree, and has no content."""

    id: str
    conversationId: str
    role: Role
    content: str
    createdAt: str
    branchId: NotRequired[str | None]
    parentMessageId: NotRequired[str | None]
    tokenCount: NotRequired[int | None]
    tokens: NotRequired[int | None]
    contentHash: NotRequired[str]
    isDeleted: NotRequired[bool]
    mergedMessageIds: NotRequired[list[str]]
    mergedBranchHeadId: NotRequired[str]
    metadata: NotRequired[MessageMetadata]
    keptBranch: NotRequired[Branch]
    """The branch that keeps the old path, in the answer to a change."""


class MessageUsage(TypedDict):
    """Tokens that an answer took."""

    promptTokens: int
    completionTokens: int
    totalTokens: int


class MergeInfo(TypedDict, total=False):
    """What a merge brought about; no `messageId` where the target had not moved."""

    strategy: str
    fastForward: bool
    messageId: str | None
    messageIds: list[str]
    sourceBranchId: str
    targetBranchId: str
    repeated: bool


class Branch(TypedDict):
    """A branch: a name, a head, and where it was forked off."""

    id: str
    conversationId: str
    title: str
    isMain: bool
    isActive: bool
    createdAt: str
    parentBranchId: NotRequired[str | None]
    forkPointMessageId: NotRequired[str | None]
    headMessageId: NotRequired[str | None]
    description: NotRequired[str | None]
    contextMode: NotRequired[ContextMode]
    updatedAt: NotRequired[str]
    messageCount: NotRequired[int]
    ownMessageCount: NotRequired[int]
    tokensIn: NotRequired[int]
    tokensOut: NotRequired[int]
    cost: NotRequired[Money]
    mergedAt: NotRequired[str | None]
    mergedIntoBranchId: NotRequired[str | None]
    merge: NotRequired[MergeInfo]
    """What was done, in the answer to a merge."""


class Conversation(TypedDict):
    """A conversation; `messages` and `branches` where it is fetched by itself."""

    id: str
    userId: str
    title: str
    createdAt: str
    updatedAt: str
    model: NotRequired[str]
    systemPrompt: NotRequired[str | None]
    temperature: NotRequired[float | None]
    maxTokens: NotRequired[int | None]
    metadata: NotRequired[dict[str, JSON]]
    messageCount: NotRequired[int]
    branchCount: NotRequired[int]
    tokensIn: NotRequired[int]
    tokensOut: NotRequired[int]
    cost: NotRequired[Money]
    messages: NotRequired[list[Message]]
    hasMoreMessages: NotRequired[bool]
    messagesCursor: NotRequired[str | None]
    branches: NotRequired[list[Branch]]
    hasMoreBranches: NotRequired[bool]


class CreateConversationRequest(TypedDict):
    """A conversation to begin; `systemPrompt` leads all that a model is told in it."""

    title: str
    model: NotRequired[str]
    systemPrompt: NotRequired[str]
    temperature: NotRequired[float]
    maxTokens: NotRequired[int]
    metadata: NotRequired[dict[str, JSON]]


class UpdateConversationRequest(TypedDict, total=False):
    """What becomes of a conversation; what is left out stays as it is."""

    title: str
    model: str
    systemPrompt: str
    temperature: float
    maxTokens: int
    metadata: dict[str, JSON]


class SendMessageRequest(TypedDict):
    """A message to answer: on the main branch, or on the one named, or behind a message."""

    content: str
    model: NotRequired[str]
    temperature: NotRequired[float]
    maxTokens: NotRequired[int]
    branchId: NotRequired[str]
    parentMessageId: NotRequired[str]


class SendMessageResponse(TypedDict):
    """A question and its answer; `message` is the answer, as `assistantMessage` is."""

    message: Message
    userMessage: Message | None
    """`None` where the server does not tell it."""
    assistantMessage: Message
    usage: MessageUsage
    model: str


class CreateBranchRequest(TypedDict):
    """A branch to begin: at the message `baseNodeId`, or at the main branch's head."""

    title: str
    baseNodeId: NotRequired[str]
    description: NotRequired[str]
    contextMode: NotRequired[ContextMode]


class ForkConversationRequest(TypedDict):
    """A branch to begin at a message."""

    forkPointMessageId: str
    title: str
    description: NotRequired[str]
    contextMode: NotRequired[ContextMode]


class BranchInfo(TypedDict):
    """The branch that a node was said on."""

    id: str
    title: str
    isMain: NotRequired[bool]


class TreeNode(TypedDict):
    """A message in the tree, with those that go on from it."""

    id: str
    content: str
    role: Role
    children: list[TreeNode]
    branchInfo: NotRequired[BranchInfo | None]
    parentMessageId: NotRequired[str | None]
    contentHash: NotRequired[str | None]
    createdAt: NotRequired[str]
    tokenCount: NotRequired[int | None]
    isDeleted: NotRequired[bool]
    mergedMessageIds: NotRequired[list[str]]


class TreeBranch(Branch):
    """A branch in the tree: itself, itself again under `branch`, and those forked from it."""

    branch: Branch
    children: list[TreeBranch]


class TreeMetadata(TypedDict):
    """How large a tree is; depths count from 1."""

    totalNodes: int
    totalBranches: int
    maxDepth: int


class ConversationTree(TypedDict):
    """A conversation's whole tree; `tree` stands for the conversation and leads its messages."""

    conversation: Conversation
    tree: TreeNode
    metadata: TreeMetadata
    branches: list[TreeBranch]
    mainBranch: NotRequired[Branch]


class ListConversationsParams(TypedDict, total=False):
    """Which conversations are meant: pages count from 1, `limit` is from 1 to 100."""

    page: int
    limit: int
    filter: Filter


class PaginatedResponse(TypedDict):
    """A page of conversations; `total` counts those of all pages."""

    data: list[Conversation]
    total: int
    page: int
    limit: int
    hasNext: bool


class StreamChunk(TypedDict):
    """A piece of a streamed answer's text.

    The frame that completes it, with `message` and `usage`, is handed out as those alone.
    """

    type: Literal["content", "complete"]
    content: str
    model: NotRequired[str]
    message: NotRequired[Message]
    usage: NotRequired[MessageUsage]
