package tsstore

import (
	"bytes"
	"encoding/json"
)

// salvage reads a file of sessions as far as it can be read: its leaf nodes, and its other fields.
func salvage(content []byte) (top object, leafNodes []json.RawMessage, bad *FormatError) {
	if err := parseObject(content, &top); err != nil {
		top, leafNodes = salvageObject(json.NewDecoder(bytes.NewReader(content)))
		return top, leafNodes, err
	}
	if err := json.Unmarshal(top[leafNodesField], &leafNodes); err != nil || leafNodes == nil {
		return top, nil, notAList()
	}
	return top, leafNodes, nil
}

func notAList() *FormatError {
	return &FormatError{Entry: leafNodesField, Problem: "want a list of leaves"}
}

// salvageObject reads fields until one is broken.
func salvageObject(d *json.Decoder) (top object, leafNodes []json.RawMessage) {
	top = make(object)
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return top, nil
	}
	for d.More() {
		token, _ := d.Token()
		field, ok := token.(string)
		if !ok {
			break
		}
		if field == leafNodesField {
			leafNodes = salvageList(d)
			continue
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		top[field] = value
	}
	return top, leafNodes
}

// salvageList reads elements until one is broken. Something else than a list has none.
func salvageList(d *json.Decoder) (list []json.RawMessage) {
	if token, err := d.Token(); err != nil || token != json.Delim('[') {
		return nil
	}
	for d.More() {
		var element json.RawMessage
		if d.Decode(&element) != nil {
			return list
		}
		list = append(list, element)
	}
	d.Token() //nolint:errcheck // a list without its end is found broken by what comes next
	return list
}
