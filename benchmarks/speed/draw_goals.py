"""A picture of a contest: how far each goal was reached, in each process."""

COLOURS = {"met": "tab:green", "missed": "tab:red", "open": "tab:orange"}


def draw_goals(title, rows, picture):
    """Draws one line of points for each goal, backend and number of threads.

    A point is a process: what it found, in parts of the bound, upside down where that
    is a highest value. So whatever lies right of 1 reaches its goal.

    Args:
        title: str.
        rows: list of `(Goal, backend, threads, numbers)`, numbers as `Goal.verdict`
            takes them; what was not run is left out.
        picture: path of the PNG to write; where nothing was run, none is.
    """
    rows = [row for row in rows if row[0].verdict(row[-1]) != "not run"]
    if not rows:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    height = 1 + 0.3 * len(rows)
    figure, axis = plt.subplots(figsize=(10, height), layout="constrained")
    for place, (goal, _, _, numbers) in enumerate(rows):
        reached = [goal.reached(number) for number in numbers if number is not None]
        colour = COLOURS[goal.verdict(numbers)]
        axis.plot(reached, [place] * len(reached), "o-", color=colour)
    names = [f"{goal.name}\n{goal.bound()}, {b}, {n}" for goal, b, n, _ in rows]
    axis.set_yticks(range(len(rows)), names, fontsize=7)
    axis.invert_yaxis()
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log", base=2)
    axis.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    axis.minorticks_off()
    axis.set(title=title, xlabel="found / goal (bound, backend, threads)")
    figure.savefig(picture, dpi=120)
    plt.close(figure)
