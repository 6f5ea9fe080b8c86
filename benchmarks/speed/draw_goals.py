"""A picture of a contest: how far each goal was reached, in each process."""

import statistics

COLOURS = {"met": "tab:green", "missed": "tab:red", "open": "tab:orange"}


def draw_goals(title, rows, picture):
    """Draws a line from the lowest to the highest number for each process of a goal.

    The dot on it is the median. Numbers are in parts of the bound, upside down where
    that is a highest value. So whatever lies right of 1 reaches its goal.

    Args:
        title: str.
        rows: list of `(Goal, backend, threads, processes, why)`, processes as
            `Goal.verdict` takes them; what was not run is left out.
        picture: path of the PNG to write; where nothing was run, none is.
    """
    rows = [row for row in rows if row[0].verdict(row[3]) != "not run"]
    if not rows:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    height = 1 + 0.3 * len(rows)
    figure, axis = plt.subplots(figsize=(10, height), layout="constrained")
    for place, (goal, _, _, processes, _) in enumerate(rows):
        colour = COLOURS[goal.verdict(processes)]
        for shift, numbers in enumerate(filter(None, processes)):
            reached = [goal.reached(number) for number in numbers]
            line = [place + 0.2 * shift] * 2
            axis.plot([min(reached), max(reached)], line, "-", color=colour)
            axis.plot(statistics.median(reached), line[0], "o", color=colour)
    names = [f"{goal.name}\n{goal.bound()}, {b}, {n}" for goal, b, n, *_ in rows]
    axis.set_yticks(range(len(rows)), names, fontsize=7)
    axis.invert_yaxis()
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log", base=2)
    axis.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    axis.minorticks_off()
    axis.set(title=title, xlabel="found / goal (bound, backend, threads)")
    figure.savefig(picture, dpi=120)
    plt.close(figure)
