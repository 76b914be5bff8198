"""``evorrn sample``: text that a network writes, and how probable a text is to it."""

from __future__ import annotations

from typing import Annotated

import typer

from evorrn.cli.options import Json, Runs, Trust


def sample(
    run: Annotated[
        str,
        typer.Argument(
            help="A complete run of the task text, or of an encoder-decoder on text: its folder, its id or the beginning of it; "
            "or a model file."
        ),
    ],
    prompt: Annotated[
        str, typer.Option("--prompt", help="Text that the network reads before it writes; or the question.")
    ] = "",
    length: Annotated[int, typer.Option("--length", help="Characters to write.")] = 200,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="Below 1 probable characters are more probable; 0: the most probable. 1 by default, 0 for answers.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draws.")] = 0,
    probability: Annotated[
        str | None,
        typer.Option(
            "--probability", help="Write nothing; tell the probability of this text after the prompt."
        ),
    ] = None,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Write text with a network that was trained on text, print how probable a text is, or answer a question."""
    from evorrn.base.errors import EvorrnError
    from evorrn.base.text import counted
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note, print_json, say
    from evorrn.lab.runs.next_characters import unknown_note
    from evorrn.lab.runs.source import find_source
    from evorrn.lab.runs.store import runs_root
    from evorrn.training.text import TextModel, repetition

    with trusting(trust, note):
        model = find_source(run, runs_root(runs)).model
    if model.network.decodes:
        if probability is not None:
            raise EvorrnError(
                "--probability: expected a network trained on running text, got an encoder-decoder"
            )
        answer = model.decode(prompt, steps=length, temperature=temperature or 0.0, seed=seed)
        print_json({"prompt": prompt, "text": answer}) if json else print(answer)
        return
    text, temperature = TextModel(model), 1.0 if temperature is None else temperature
    unknown = text.unknown(prompt + (probability or ""))
    if unknown:
        note(unknown_note(unknown))
    if probability is not None:
        bits = -text.log2_probability(probability, prompt)
        found = {"text": probability, "bits": bits, "bits_per_symbol": bits / len(probability)}
        characters = counted(len(probability), "character")
        shown = f"{bits:.2f} bits for {characters}, {bits / len(probability):.3f} a character: probability 2^-{bits:.2f}"
        print_json(found) if json else say(shown)
        return
    written = text.sample(length, prompt, temperature, seed)
    repeated = repetition(written)
    if json:
        print_json({"prompt": prompt, "text": written, "repeats": repeated})
    else:
        print(prompt + written)
    if repeated:
        why = ": the most probable character at every step leads into a circle" if temperature == 0 else ""
        note(f"at its end the text repeats {repeated!r}{why}")
