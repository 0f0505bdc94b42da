package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"remuda"
	"remuda/eval"
)

// runPage is what is shown of a training.
type runPage struct {
	page
	Verdict *verdict
	Lead    string
	Charts  []chart
	Epochs  []remuda.EpochEvent
	Recipe  []fact
	Data    []fact
}

// Run writes the report of a training.
func Run(w io.Writer, r RunReport) error {
	p := &runPage{Epochs: r.Epochs, Recipe: recipeFacts(r.Card.Recipe), Data: dataFacts(r.Card)}
	p.Kind, p.Title = "Run", r.Card.Arch
	p.Sub = runSub(r)
	p.Lead = speedWords(r)
	if r.Evaluation != nil {
		p.Verdict = newVerdict(r.Evaluation, r.Images)
		p.Verdict.Heading = "On validation data"
		p.Verdict.Lead += fmt.Sprintf(" These are the weights of epoch %d, which had the best F1 there, so a test set will be a little less kind.", r.Card.Epoch)
		p.Verdict.Optimistic = false // said in the lead: choosing on validation data is what it is for
		for i := range p.Verdict.Passport {
			if f := &p.Verdict.Passport[i]; f.Value == eval.OwnThreshold {
				f.Value = "these validation data"
			}
		}
		p.Gallery, p.Explorer = p.Verdict.Gallery, p.Verdict.Explorer
	}
	if len(r.Steps) > 0 || len(r.Epochs) > 0 {
		p.Charts = append(p.Charts, lossChart(r.Steps, r.Epochs))
	}
	if c, ok := scoreChart(r.Epochs); ok {
		p.Charts = append(p.Charts, c)
	}
	if len(r.Steps) > 0 {
		p.Charts = append(p.Charts, rateChart(r.Steps, r.Epochs), speedChart(r.Steps, r.Epochs))
	}
	return render(w, "run", p)
}

func runSub(r RunReport) string {
	var words []string
	for _, c := range r.Card.Categories {
		if len(words) == 6 {
			words = append(words, "…")
			break
		}
		words = append(words, c.Name)
	}
	return fmt.Sprintf("%s: %s · trained on %s, %s, %s", plural(len(r.Card.Categories), "category"), strings.Join(words, ", "), r.Card.Data.Train.File,
		plural(r.Card.Data.Train.Items, "image"), plural(r.Card.Data.Train.Annotations, "box"))
}

// speedWords sums up the training's time.
func speedWords(r RunReport) string {
	var seconds, wait float64
	images := 0
	for _, s := range r.Steps {
		seconds += s.Seconds
		wait += s.Wait
		images += s.Images
	}
	if seconds == 0 {
		return "The losses by epoch."
	}
	return fmt.Sprintf("%s of %s in %s: %.2f images a second, %.1f %% of the time spent waiting for data. Thin lines are single steps, dots an epoch's mean.",
		plural(len(r.Steps), "step"), plural(images, "image"), duration(seconds), float64(images)/seconds, 100*wait/seconds)
}

func recipeFacts(r remuda.Recipe) []fact {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	schedule := r.Schedule
	if r.Schedule == "step" {
		schedule = fmt.Sprintf("× %s every %s", number(r.Gamma), plural(r.StepEpochs, "epoch"))
	}
	facts := []fact{
		{"recipe", r.Name},
		{"epochs", strconv.Itoa(r.Epochs)},
		{"images a step", strconv.Itoa(r.Batch)},
		{"learning rate", number(r.LR)},
		{"schedule", schedule},
		{"warm-up", number(r.WarmupEpochs) + " epochs"},
		{"momentum, weight decay", number(r.Momentum) + ", " + number(r.WeightDecay)},
		{"mirrored", number(100*r.Flip) + " %"},
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"longest gradient", r.ClipNorm}, {"scale jitter", r.ScaleJitter}, {"color jitter", r.ColorJitter}, {"EMA decay", r.EMA}} {
		if f.value > 0 {
			facts = append(facts, fact{f.name, number(f.value)})
		}
	}
	return append(facts,
		fact{"initial weights", r.Weights},
		fact{"trainable layers", strconv.Itoa(r.TrainableLayers)},
		fact{"seed", strconv.FormatUint(r.Seed, 10)})
}

func dataFacts(c remuda.Card) []fact {
	data := func(h remuda.DataHash) string {
		return fmt.Sprintf("%s, %s, %s, %s", h.File, plural(h.Items, "image"), plural(h.Annotations, "box"), short(h.SHA256))
	}
	facts := []fact{{"training data", data(c.Data.Train)}}
	if c.Data.Val != nil {
		facts = append(facts, fact{"validation data", data(*c.Data.Val)})
	}
	if c.Threshold != nil {
		facts = append(facts, fact{"threshold", fmt.Sprintf("%.3f, best F1 on validation data", *c.Threshold)})
	}
	return append(facts,
		fact{"kept epoch", strconv.Itoa(c.Epoch)},
		fact{"model.safetensors", short(c.Weights)},
		fact{"engine", c.Engine},
		fact{"precision, device, threads", fmt.Sprintf("%s, %s, %d", c.Recipe.Precision, c.Recipe.Device, c.Recipe.Threads)},
		fact{"made", c.Created.UTC().Format("2006-01-02 15:04 UTC")})
}

// short is the beginning of a hash.
func short(hash string) string {
	const letters = 12
	if len(hash) <= letters {
		return hash
	}
	return "SHA-256 " + hash[:letters] + "…"
}
