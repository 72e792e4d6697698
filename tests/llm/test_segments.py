"""Prompts: what stands before a segment's text, then the text's tokens, one segment after the other."""

import pytest
import torch
from torch import Tensor, nn

from gemel.core.errors import ShapeError
from gemel.llm.segments import Segment, embed_segments

VOCAB, WIDTH = 10, 4


@pytest.fixture
def embedding() -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(VOCAB, WIDTH)


def rows(embedding: nn.Embedding, *tokens: int) -> Tensor:
    return embedding(torch.tensor(tokens))


def test_tokens_are_embedded_in_order(embedding: nn.Embedding) -> None:
    found = embed_segments([Segment((1, 2)), Segment((3,))], embedding)
    torch.testing.assert_close(found, rows(embedding, 1, 2, 3))


def test_soft_tokens_stand_before_their_segments_text(embedding: nn.Embedding) -> None:
    soft = torch.randn(2, WIDTH)
    found = embed_segments([Segment((1, 2)), Segment((3,), soft)], embedding)
    torch.testing.assert_close(found, torch.cat([rows(embedding, 1, 2), soft, rows(embedding, 3)]))


def test_caption_stands_where_soft_tokens_would(embedding: nn.Embedding) -> None:
    found = embed_segments([Segment((1,)), Segment((3,), (7, 8))], embedding)
    torch.testing.assert_close(found, rows(embedding, 1, 7, 8, 3))


def test_segment_without_an_image_has_no_prefix(embedding: nn.Embedding) -> None:
    soft = torch.randn(2, WIDTH)
    found = embed_segments([Segment((1,), soft), Segment((2,)), Segment((3,), soft)], embedding)
    torch.testing.assert_close(found, torch.cat([soft, rows(embedding, 1, 2), soft, rows(embedding, 3)]))


def test_length_is_that_of_the_embedded_segment(embedding: nn.Embedding) -> None:
    for prefix in (None, (5, 6, 7), torch.randn(2, WIDTH)):
        segment = Segment((1, 2), prefix)
        assert len(embed_segments([segment], embedding)) == segment.length


def test_gradient_reaches_every_soft_token(embedding: nn.Embedding) -> None:
    embedding.requires_grad_(False)
    soft = torch.randn(2, WIDTH, requires_grad=True)
    embed_segments([Segment((1,), soft), Segment((2,))], embedding).sum().backward()
    torch.testing.assert_close(soft.grad, torch.ones(2, WIDTH))


def test_soft_tokens_take_the_embeddings_dtype(embedding: nn.Embedding) -> None:
    found = embed_segments([Segment((1,), torch.randn(2, WIDTH))], embedding.to(torch.bfloat16))
    assert found.dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(2, WIDTH + 1), (WIDTH,), (1, 2, WIDTH)])
def test_soft_tokens_of_another_shape_are_refused(embedding: nn.Embedding, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"soft tokens of shape .* LLM of width 4; .*run `dvc repro mapper`"):
        embed_segments([Segment((1,), torch.zeros(shape))], embedding)
