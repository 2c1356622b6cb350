"""Figures of several rounds: the median and the spread of each, and whether a goal is reached."""
import os
import pathlib
import platform
import re
import statistics
import subprocess


def shown(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip().splitlines()[0]


def print_machine():
    processor = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    print(f"{os.cpu_count()} cores, {processor.group(1) if processor else platform.machine()}")
    print(f"kernel {platform.release()}, load {os.getloadavg()[0]:.1f} before")
    for command in (["redis-server", "--version"], ["nginx", "-v"], ["node", "--version"], ["wrk", "-v"]):
        print(f"{command[0]}: {first_line(*command)}")
    print(flush=True)


class Report:
    def __init__(self):
        self.short = []

    def figure(self, name, values, unit="", at_least=None, at_most=None):
        """Prints one figure of all rounds; with a goal, whether the median reaches it."""
        median = statistics.median(values)
        text = f"  {name:<62}{shown(median):>10} {unit:<8}({shown(min(values))}–{shown(max(values))})"
        goal = at_least if at_least is not None else at_most
        if goal is not None:
            missing = (goal - median) / goal if at_least is not None else (median - goal) / goal
            text += f"  goal {'≥' if at_least is not None else '≤'} {shown(goal)}: "
            text += "PASS" if missing <= 0 else f"SHORT BY {missing:.0%}"
            if missing > 0:
                self.short.append(name)
        print(text, flush=True)

    def ratio(self, name, ours, theirs, at_least=None):
        """Of each round by itself, since what else the machine does changes from round to round."""
        self.figure(name, [our / their for our, their in zip(ours, theirs)], "×", at_least=at_least)

    def title(self, text):
        print(text, flush=True)

    def end(self):
        print("\nevery goal is reached" if not self.short else f"\n{len(self.short)} short of their goal: " +
              "; ".join(self.short))
