package main

import (
	"bytes"
	"fmt"
	"math"
)

// curve is the time of something at some numbers of norms.
type curve struct {
	name   string
	points []point
}

type point struct {
	norms       int
	nanoseconds float64
}

func (c *curve) add(norms int, nanoseconds float64) {
	c.points = append(c.points, point{norms, nanoseconds})
}

// The picture, in its own units.
const (
	width, height            = 760, 430
	left, right, top, bottom = 72, 210, 48, 48
	leastTime, mostTime      = 10, 1e8 // nanoseconds
)

// draw returns a picture of the curves as an SVG, with logarithmic axes. Its
// colours follow the reader's light or dark page.
func draw(curves []curve) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title">`, width, height, width, height)
	line(`<title id="title">Time of one check against the number of norms</title>`)
	line(`<style>`)
	line(`text{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#57606a}`)
	line(`.head{font-size:15px;font-weight:600;fill:#1f2328}.grid{stroke:#d0d7de;stroke-width:1}`)
	line(`.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke:var(--c)}.dot{fill:var(--c)}.name{fill:var(--c);font-weight:600}`)
	for i, c := range colours {
		line(`.c%d{--c:%s}`, i, c.light)
	}
	line(`@media (prefers-color-scheme:dark){text{fill:#9198a1}.head{fill:#f0f6fc}.grid{stroke:#30363d}`)
	for i, c := range colours {
		line(`.c%d{--c:%s}`, i, c.dark)
	}
	line(`.name{fill:var(--c)}}`)
	line(`</style>`)

	least, most := float64(curves[0].points[0].norms), 0.0
	for _, p := range curves[0].points {
		most = max(most, float64(p.norms))
	}
	x := func(norms float64) float64 {
		return left + (width-left-right)*math.Log(norms/least)/math.Log(most/least)
	}
	y := func(t float64) float64 {
		return height - bottom - (height-top-bottom)*math.Log(t/leastTime)/math.Log(mostTime/leastTime)
	}
	line(`<text class="head" x="%d" y="24">Time of one check against the number of norms</text>`, left)
	for t := float64(leastTime); t <= mostTime*1.01; t *= 10 {
		line(`<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, y(t), y(t))
		line(`<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-8, y(t)+4, unit(t))
	}
	for n := least; n <= most*1.01; n *= 10 {
		line(`<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x(n), height-bottom+20, figure(n))
	}
	line(`<text x="%.1f" y="%d" text-anchor="middle">norms</text>`, x(math.Sqrt(least*most)), height-8)

	below := math.Inf(-1) // the last label
	for i, c := range curves {
		line(`<g class="c%d">`, i%len(colours))
		fmt.Fprint(&b, `<polyline class="line" points="`)
		for _, p := range c.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(float64(p.norms)), y(p.nanoseconds))
		}
		line(`"/>`)
		for _, p := range c.points {
			line(`<circle class="dot" cx="%.1f" cy="%.1f" r="3"/>`, x(float64(p.norms)), y(p.nanoseconds))
		}
		last := c.points[len(c.points)-1]
		below = max(below+17, y(last.nanoseconds)+4)
		line(`<text class="name" x="%d" y="%.1f">%s, %s</text>`, width-right+10, below, c.name, short(last.nanoseconds))
		line(`</g>`)
	}
	line(`</svg>`)
	return b.Bytes()
}

// colours can be distinguished by people with color blindness.
var colours = []struct{ light, dark string }{
	{"#bc4c00", "#f0883e"}, {"#8250df", "#bc8cff"}, {"#1b7c83", "#39c5cf"}, {"#0969da", "#58a6ff"}, {"#57606a", "#9198a1"},
}

// unit writes a time with at most three digits.
func unit(t float64) string {
	switch {
	case t < 1e3:
		return fmt.Sprintf("%.3g ns", t)
	case t < 1e6:
		return fmt.Sprintf("%.3g µs", t/1e3)
	}
	return fmt.Sprintf("%.3g ms", t/1e6)
}

// short writes a time with two digits that count.
func short(t float64) string {
	digit := math.Pow(10, math.Floor(math.Log10(t))-1)
	return unit(math.Round(t/digit) * digit)
}
