"""translate: what a person types to train a translator and to ask it."""

import io

import pytest
from typer.testing import CliRunner

from keras_lm import pipelines, text
from keras_lm.cli.app import app
from keras_lm.cli.translate import _lines
from tests.fakes import SumModel, random_weights

pytestmark = pytest.mark.once
run = CliRunner()


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    tokenizer = text.train_tokenizer(["one two three 一二三"] * 5, 300)
    size = tokenizer.vocabulary_size
    model = SumModel(size, size)
    random_weights(model, seed=1)
    path = tmp_path_factory.mktemp("pipelines") / "pairs"
    pipelines.TextToText(model, tokenizer, tokenizer, max_new_tokens=5).save(path)
    return path


def one_line(answer):
    return " ".join(answer.split("\n"))


def test_translate_prints_an_answer_for_each_text_or_line(translator):
    pipeline = pipelines.load(translator)
    texts = ["one 一", "", "two"]
    expected = [one_line(answer) for answer in pipeline(texts, beam_size=2)]
    command = ["translate", "run", str(translator), "--beam-size", "2"]

    given = run.invoke(app, [*command, *texts])
    lines = run.invoke(app, command, input="one 一\n\ntwo\r\n")

    assert given.exit_code == lines.exit_code == 0
    assert given.stdout == lines.stdout == "\n".join([*expected, ""])


def test_the_mark_of_a_file_is_no_part_of_its_first_line(translator, monkeypatch):
    asked = []

    def n_best(self, texts, *others, **options):
        asked.append(texts)
        return [[] for _ in texts]

    monkeypatch.setattr(pipelines.TextToText, "n_best", n_best)
    monkeypatch.setattr("keras_lm.cli.translate._LINES_AT_A_TIME", 2)
    command = ["translate", "run", str(translator)]
    files = ["\ufeffone\r\n", "\ufeff\n", "\ufeff", "\ufeff二🙂\n\ufeff三"]
    assert files[0].encode() == b"\xef\xbb\xbfone\r\n"

    for lines in files:
        assert run.invoke(app, command, input=lines.encode()).exit_code == 0

    assert asked == [["one"], [""], ["二🙂", "\ufeff三"]]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b"one\ntwo \xe9\n", "stdin, line 2, where byte 4 is 0xe9"),
        ("one\n".encode("utf-16"), "stdin, line 1, where byte 0 is 0xff"),
    ],
)
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_lines_that_are_no_utf_8_are_refused(lines, told, errors):
    # Where Python is told nothing of the language, it reads such bytes in silence.
    stream = io.TextIOWrapper(io.BytesIO(lines), "utf-8", errors)

    with pytest.raises(ValueError, match=f"must be UTF-8 text. Received: {told}"):
        list(_lines(stream))


def test_answers_that_were_cut_off_are_counted_beside(translator):
    command = ["translate", "run", str(translator), "--max-new-tokens=1", "--n-best=2"]
    texts = ["one", "", "two 🙂"]
    found = pipelines.load(translator).n_best(texts, 2, max_new_tokens=1)
    finished = [answer.finished for answers in found for answer in answers]

    cut, whole = run.invoke(app, [*command, *texts]), run.invoke(app, [*command, ""])

    assert len(finished) == len(cut.stdout.splitlines()) == 5
    assert 0 < finished.count(False) < 5
    assert f"{finished.count(False)} of 5 answers were cut off: a" in cut.stderr
    assert whole.stderr == ""


@pytest.mark.parametrize(
    ("is_terminal", "sizes"), [(False, [2, 2, 1]), (True, [1] * 5)]
)
def test_lines_are_answered_before_all_are_read(monkeypatch, is_terminal, sizes):
    class Pipe(io.RawIOBase):
        num_read = 0

        def readable(self):
            return True

        def isatty(self):
            return is_terminal

        def readinto(self, room):
            if self.num_read == 5:
                return 0
            self.num_read += 1
            line = f"{self.num_read} 🙂\r\n".encode()
            room[: len(line)] = line
            return len(line)

    monkeypatch.setattr("keras_lm.cli.translate._LINES_AT_A_TIME", 2)
    pipe, read = Pipe(), 0
    stream = io.TextIOWrapper(io.BufferedReader(pipe), "utf-8")
    for some, size in zip(_lines(stream), sizes, strict=True):
        assert some == [f"{read + n + 1} 🙂" for n in range(size)]
        read += size
        assert pipe.num_read == read


def test_each_of_several_answers_has_its_text_s_number_and_a_score(
    translator, monkeypatch
):
    texts = ["two 🙂", "", "一", "one"]
    command = ["translate", "run", str(translator), "--max-new-tokens=1", "--n-best=2"]
    found = pipelines.load(translator).n_best(texts, 2, max_new_tokens=1)
    monkeypatch.setattr("keras_lm.cli.translate._LINES_AT_A_TIME", 3)

    given = run.invoke(app, [*command, *texts])
    lines = run.invoke(app, command, input="\n".join(texts))

    assert sorted({len(answers) for answers in found}) == [1, 2]
    told = [
        f"{number}\t{answer.score:.4f}\t{one_line(answer.text)}\n"
        for number, answers in enumerate(found)
        for answer in answers
    ]
    assert given.stdout == lines.stdout == "".join(told)


def test_translate_takes_no_other_pipeline(tmp_path):
    (tmp_path / "pipeline.json").write_text('{"pipeline": "TextGenerator"}')
    for directory, told in [
        (tmp_path, "must hold a `TextToText`"),
        (tmp_path / "nowhere", "which is not there"),
    ]:
        result = run.invoke(app, ["translate", "run", str(directory), "one"])
        assert result.exit_code == 1
        assert told in result.output


def test_more_answers_than_beams_are_refused():
    result = run.invoke(app, ["translate", "run", "nowhere", "one", "--n-best=5"])
    assert result.exit_code == 2
    assert "--beam-size" in result.output


def write_pairs(folder):
    """Aligned files and one with tabs, of 40 pairs."""
    sources = [f"句子 {n} 🙂" for n in range(40)]
    targets = [f"sentence {n} 🙂" for n in range(40)]
    (folder / "zh").write_text("\n".join(sources), encoding="utf-8")
    (folder / "en").write_text("\n".join(targets), encoding="utf-8")
    lines = [f"{s}\t{t}\n" for s, t in zip(sources, targets, strict=True)]
    (folder / "tsv").write_text("".join(lines), encoding="utf-8")
    return [f"--source={folder / 'zh'}", f"--target={folder / 'en'}"]


def test_train_makes_a_pipeline_that_run_takes(tmp_path):
    output = tmp_path / "zh_en"
    sizes = "--layers=1 --width=8 --heads=2 --vocabulary-size=300 --epochs=1"
    paths = [f"--output={output}", f"--checkpoints={tmp_path / 'checkpoints'}"]
    command = ["translate", "train", *write_pairs(tmp_path), *paths, *sizes.split()]

    trained = run.invoke(app, [*command, "--max-length=20", "--batch-tokens=400"])
    told = run.invoke(
        app, ["translate", "run", str(output), "句子 3 🙂", "--max-new-tokens=3"]
    )

    assert trained.exit_code == 0, trained.output
    assert "36 pairs to train on, 4 held out" in trained.output
    assert "tok:13a" in trained.output
    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) == 1
    assert pipelines.load(output).model.num_layers == 1


@pytest.mark.parametrize("columns", [(0, 1), (3, 0)])
def test_train_takes_the_columns_that_are_named(tmp_path, monkeypatch, columns):
    def train(settings, read, *others):
        trained_on.extend(read)

    trained_on = []
    monkeypatch.setattr("keras_lm.cli.train_translator.train_translator", train)
    path = tmp_path / "tatoeba.tsv"
    rows = [[f"句子 {n} 🙂", f"sentence {n}", "CC-BY", f"{n}"] for n in range(40)]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    chosen = ["--columns", *map(str, columns)]
    paths = [f"--pairs={path}", f"--output={tmp_path / 'made'}"]

    result = run.invoke(app, ["translate", "train", *paths, *chosen])

    assert result.exit_code == 0, result.output
    assert trained_on == [tuple(row[place] for place in columns) for row in rows]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ("", 2, "--pairs"),
        ("--source=zh", 2, "--target"),
        ("--source=zh --target=en --pairs=tsv", 2, "alone"),
        ("--pairs=tsv --layers=0", 2, "--layers"),
        ("--pairs=tsv --model=gru", 2, "lstm"),
        ("--pairs=nowhere", 1, "nowhere"),
        ("--pairs=tsv --columns 0 2", 1, "at least 3 fields"),
        ("--pairs=more", 1, "or `--columns` name two of more. Received: 3 in line 1"),
        ("--pairs=tsv --held-out=21", 1, "--held-out=21 of 40"),
        ("--pairs=tsv --heads=3", 1, "`--width` must be a multiple of twice `--heads`"),
        ("--pairs=tsv --batch-tokens=99", 1, "`--batch-tokens` must hold"),
        ("--pairs=tsv --output=en", 1, "`--output` must be a folder"),
        ("--pairs=tsv --output=there", 1, "or --overwrite be given"),
        ("--pairs=tsv --checkpoints=en/x", 1, "`--checkpoints` must lie in a folder"),
        ("--pairs=few", 1, "give more. Received: 3 with text"),
    ],
)
def test_train_refuses_what_does_not_fit(tmp_path, monkeypatch, options, code, told):
    write_pairs(tmp_path)
    (tmp_path / "few").write_text("a\tb\n" * 3)
    (tmp_path / "more").write_text("a\tb\tby whom\n")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    # The last of two outputs counts.
    command = ["translate", "train", "--output=made", *options.split()]

    result = run.invoke(app, command)

    assert result.exit_code == code
    assert told in result.output
    assert not (tmp_path / "made").exists()
