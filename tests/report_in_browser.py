#!/usr/bin/env python3
"""Opens a report in headless Chromium: light, dark, at phone width and in print.

Usage: report_in_browser.py REPORT.html
Checks that nothing is on the console, that there is no request and no sideways scrolling, and that each chart on the
screenshots has its axes and each run's line in the run's colour. Exits with 1 and one line at the first fault.
"""
import html
import json
import math
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.parse
import zlib

HEIGHT = 6000
VIEWS = {"light": (1280, False), "dark": (1280, True), "phone": (390, False), "phone, dark": (390, True)}

# Tells the frame around the page where everything is, so that the screenshot is searched in the right places.
PROBE = """<script>addEventListener("load", () => setTimeout(() => {
  const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const charts = [...document.querySelectorAll("canvas")].map((canvas) => {
    const chart = Chart.getChart(canvas), [left, top] = box(canvas), area = chart.chartArea;
    const line = (data, i) => ({name: data.label, colour: data.borderColor, marks: data.showLine === false,
      path: chart.getDatasetMeta(i).data.filter((p) => !p.skip).flatMap((p, j, all) =>
        (data.stepped && j ? [[all[j - 1].x, p.y], [p.x, p.y]] : [[p.x, p.y]]).map(([x, y]) => [left + x, top + y]))});
    return {name: canvas.getAttribute("aria-label"), box: box(canvas), lines: chart.data.datasets.map(line),
            area: [left + area.left, top + area.top, left + area.right, top + area.bottom]};
  });
  parent.document.body.dataset.probe = encodeURIComponent(JSON.stringify({
    charts, dark: matchMedia("(prefers-color-scheme: dark)").matches, paper: ink("--paper"), card: ink("--card"),
    width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight,
    resources: performance.getEntriesByType("resource").map((entry) => entry.name),
    runs: JSON.parse(document.getElementById("report").textContent).runs.length,
    rows: document.querySelectorAll("#figures tbody tr").length}));
}, 100));</script>"""

# Chromium's windows are at least 500 wide. A frame can be as narrow as a phone, and media queries see the frame.
FRAME = """<!DOCTYPE html><meta name="color-scheme" content="light dark"><body style="margin:0">
<iframe srcdoc="{page}" style="border:0;display:block;width:{width}px;height:{height}px"></iframe>"""


class Wrong(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Wrong(message)


def chromium(*arguments):
    """Runs Chromium and returns its output. Anything on the console is an error."""
    browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
    require(browser, "no Chromium found (Debian: chromium)")
    done = subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                           "--virtual-time-budget=5000", "--enable-logging=stderr", *arguments],
                          capture_output=True, text=True, timeout=300)
    for line in done.stderr.splitlines():
        require("CONSOLE" not in line, f"the console says: {line}")
    require(done.returncode == 0, f"Chromium ended with {done.returncode}")
    return done.stdout


def add_bytes(a, b, width):
    """Returns a + b, byte by byte and modulo 256, as one addition of large integers."""
    low = int.from_bytes(b"\x7f" * width, "little")
    a, b = int.from_bytes(a, "little"), int.from_bytes(b, "little")
    return (((a & low) + (b & low)) ^ ((a ^ b) & ~low)).to_bytes(width, "little")


def predicted(left, up, corner, kind):
    if kind == 1:
        return left
    if kind == 3:
        return (left + up) // 2
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    return left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner


class Picture:
    """An 8-bit RGB PNG."""

    def __init__(self, path):
        data, at, packed = path.read_bytes(), 8, b""
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at:at + 8])
            chunk = data[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height, depth, colours = struct.unpack(">IIBB", chunk[:10])
                require((depth, colours) in ((8, 2), (8, 6)), f"a screenshot of {depth} bits, colour type {colours}")
                self.pixel = 3 if colours == 2 else 4
            if kind == b"IDAT":
                packed += chunk
            at += size + 12
        self.rows = list(self.unfiltered(zlib.decompress(packed)))

    def unfiltered(self, data):
        width, step = self.width * self.pixel, self.pixel
        above = bytes(width)
        for start in range(0, len(data), width + 1):
            kind, row = data[start], data[start + 1:start + 1 + width]
            if kind == 2:
                row = add_bytes(row, above, width)
            elif kind:
                out, up = bytearray(step) + row, bytes(step) + above
                for i in range(step, width + step):
                    out[i] = (out[i] + predicted(out[i - step], up[i], up[i - step], kind)) & 255
                row = bytes(out[step:])
            yield row
            above = row

    def at(self, x, y):
        return tuple(self.rows[y][x * self.pixel:x * self.pixel + 3])

    def near(self, x, y, reach, colours):
        """Returns True if one of the colours is within `reach` pixels."""
        for row in range(max(0, round(y) - reach), min(self.height, round(y) + reach + 1)):
            for column in range(max(0, round(x) - reach), min(self.width, round(x) + reach + 1)):
                if any(close(self.at(column, row), colour) for colour in colours):
                    return True
        return False

    def drawn(self, box, background):
        """Returns the number of pixels of the box that are not background."""
        left, top, right, bottom = (round(v) for v in box)
        return sum(not close(self.at(x, y), background) for y in range(top, bottom) for x in range(left, right))


def close(a, b):
    return sum(abs(i - j) for i, j in zip(a, b)) < 72


def rgb(text):
    return tuple(int(text[i:i + 2], 16) for i in (1, 3, 5))


def check_axes(picture, chart, card, where):
    left, top, right, bottom = chart["area"]
    require(right - left > 150 and bottom - top > 80, f"{where}: only {right - left:.0f} x {bottom - top:.0f} pixels")
    beside = picture.drawn((chart["box"][0], top, left - 6, bottom), card)
    below = picture.drawn((left, bottom + 6, right, chart["box"][3]), card)
    require(beside > 40 and below > 40, f"{where}: no figures at its axes ({beside} and {below} pixels)")
    upright = picture.drawn((left - 1, top, left + 1, bottom), card) / (bottom - top)
    level = picture.drawn((left, bottom - 1, right, bottom + 1), card) / (right - left)
    require(upright > .9 and level > .9, f"{where}: no axes ({upright:.0%} and {level:.0%} of them drawn)")


def inside(point, area):
    return area[0] - 1 <= point[0] <= area[2] + 1 and area[1] - 1 <= point[1] <= area[3] + 1


def along(path, count=150):
    """Returns about `count` evenly spaced points on the path, its own points included."""
    lengths = [math.dist(a, b) for a, b in zip(path, path[1:])]
    every = max(1, sum(lengths) / count)
    points, next_at, walked = [path[-1]], 0, 0
    for (ax, ay), (bx, by), length in zip(path, path[1:], lengths):
        while next_at < walked + length:
            t = (next_at - walked) / length
            points.append((ax + t * (bx - ax), ay + t * (by - ay)))
            next_at += every
        walked += length
    return points


def check_lines(picture, chart, where):
    """Checks that most of each line has its colour (dashes have gaps; a line under others may show less)."""
    colours = [rgb(line["colour"]) for line in chart["lines"]]
    for line, colour in zip(chart["lines"], colours):
        if line["marks"]:
            continue
        path = [point for point in along(line["path"]) if inside(point, chart["area"])] if line["path"] else []
        require(path, f"{where}: {line['name']} has no point in the chart")
        own = sum(picture.near(x, y, 5, [colour]) for x, y in path) / len(path)
        under = sum(picture.near(x, y, 5, colours) for x, y in path) / len(path)
        require(own > .6 or own > .05 and under > .9, f"{where}: {line['name']}'s colour is along {own:.0%} of its line only")


def check_page(page, width, dark):
    require(page["dark"] == dark, "the browser did not take the colour scheme asked for")
    require((sum(rgb(page["paper"])) < 384) == dark, f"the paper is {page['paper']} where dark is {dark}")
    require(not page["resources"], f"the page asked for {page['resources']}")
    require(page["width"] <= width, f"the page is {page['width']} wide on a screen of {width}")
    require(page["height"] <= HEIGHT, f"the page is {page['height']} high, {HEIGHT} are looked at")
    require(page["rows"] == page["runs"] > 0, f"{page['rows']} rows of figures for {page['runs']} runs")
    require(len(page["charts"]) == 8, f"{len(page['charts'])} charts, expected 8")


def check_view(page, folder, name):
    width, dark = VIEWS[name]
    frame, shot = folder / "frame.html", folder / "shot.png"
    frame.write_text(FRAME.format(page=html.escape(page), width=width, height=HEIGHT))
    out = chromium(f"--window-size={max(width, 500)},{HEIGHT}", f"--screenshot={shot}", "--dump-dom",
                   f"--blink-settings=preferredColorScheme={0 if dark else 1}", frame.as_uri())
    probe = re.search(r'data-probe="([^"]*)"', out)
    require(probe, f"{name}: the page did not load")
    probed = json.loads(urllib.parse.unquote(probe[1]))
    check_page(probed, width, dark)
    picture = Picture(shot)
    require(close(picture.at(2, 2), rgb(probed["paper"])), f"{name}: the paper is {picture.at(2, 2)}")
    for chart in probed["charts"]:
        where = f"{name}: {chart['name']}"
        check_axes(picture, chart, rgb(probed["card"]), where)
        check_lines(picture, chart, where)
    print(f"{name}: {len(probed['charts'])} charts, {probed['runs']} runs")


def check_report(report, folder):
    text = report.read_text()
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1</script>", text, flags=re.S)
    for reference in re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)|url\(([^)]*)\)|(@import)""", markup):
        require("".join(reference).startswith("data:"), f"the page refers to {''.join(reference)}")
    require("default-src 'none'" in text, "the page has no policy against requests")
    page = (PROBE + "</body>").join(text.rsplit("</body>", 1))
    for name in VIEWS:
        check_view(page, folder, name)
    pdf = folder / "report.pdf"
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", report.resolve().as_uri())
    require(pdf.exists() and pdf.read_bytes().startswith(b"%PDF"), "print: no pages")
    print("print: written")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[2])
    with tempfile.TemporaryDirectory() as folder:
        try:
            check_report(pathlib.Path(sys.argv[1]), pathlib.Path(folder))
        except (Wrong, OSError, subprocess.TimeoutExpired) as wrong:
            sys.exit(f"report_in_browser: {sys.argv[1]}: {wrong}")


if __name__ == "__main__":
    main()
