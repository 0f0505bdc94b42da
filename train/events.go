package train

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"remuda"
)

// eventLog appends events to a file and passes them on.
type eventLog struct {
	file *os.File
	emit func(remuda.Event) error
}

// openEvents opens a run's event log for appending. Events of what a resumed
// run will do again, because it comes after the state of the checkpoint, and a
// line cut off by a kill are removed first.
func openEvents(path string, s state, emit func(remuda.Event) error) (*eventLog, error) {
	kept, err := ReadEvents(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var data []byte
	for _, event := range kept {
		open := event.Epoch != nil && event.Epoch.Step == s.Step && s.Seconds > 0 // the checkpoint is from before its end
		if lastStep(event) > s.Step || open {
			break
		}
		line, err := json.Marshal(event)
		if err != nil {
			return nil, err
		}
		data = append(append(data, line...), '\n')
	}
	if err := writeFile(path, data); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, diskError("open the event log", err)
	}
	return &eventLog{file: file, emit: emit}, nil
}

// lastStep returns the step that an event reports, 0 if it reports none.
func lastStep(e remuda.Event) int {
	switch {
	case e.Step != nil:
		return e.Step.Step
	case e.Epoch != nil:
		return e.Epoch.Step
	case e.Save != nil:
		return e.Save.Step
	}
	return 0
}

// ReadEvents returns the events of a log, up to the first line that is not
// whole.
func ReadEvents(path string) ([]remuda.Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []remuda.Event
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event remuda.Event
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			break
		}
		events = append(events, event)
	}
	return events, lines.Err()
}

func (l *eventLog) write(event remuda.Event) error {
	line, err := json.Marshal(event)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return diskError("write the event log", err)
	}
	return l.emit(event)
}

func (l *eventLog) close() error { return errors.Join(l.file.Sync(), l.file.Close()) }
