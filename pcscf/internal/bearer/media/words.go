package media

import "github.com/dialtone-ims/dialtone/pkg/diameter/rx"

// description returns the packet filter as Rx and N5 write it (TS 29.214 §5.3.8, TS 29.514 §5.6.3.2).
func (r Rule) description(uplink bool) string {
	return rx.FilterRule{
		Uplink:   uplink,
		Protocol: r.Protocol,
		From:     rx.FilterEnd{Address: r.From.Address, First: r.From.First, Last: r.From.Last},
		To:       rx.FilterEnd{Address: r.To.Address, First: r.To.First, Last: r.To.Last},
	}.String()
}

// Descriptions returns both filters of a flow: what the UE receives, and what it sends.
func (f *Flow) Descriptions() []string {
	return []string{f.Downlink.description(false), f.Uplink.description(true)}
}

// CodecData returns the m-lines of a component as Rx and N5 write them (TS 29.214 §5.3.7, TS 29.514 §5.6.3.2).
func (c *Component) CodecData() (all []string) {
	for _, codec := range c.Codecs {
		if len(codec.Lines) == 0 {
			continue
		}

		stage := "offer"
		if codec.Answer {
			stage = "answer"
		}

		all = append(all, rx.CodecData{Uplink: codec.Uplink, Stage: stage, Lines: codec.Lines}.String())
	}

	return all
}
