package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func someNode(name, address, pods string, server bool) apiNode {
	var n apiNode
	labels := ""
	if server {
		labels = `"node-role.kubernetes.io/control-plane":"true"`
	}
	json.Unmarshal(fmt.Appendf(nil, `{"metadata":{"name":%q,"labels":{%s}},"spec":{"podCIDR":%q},"status":{"addresses":[{"type":"InternalIP","address":%q}]}}`, name, labels, pods, address), &n)
	return n
}

func TestRoutesFollowTheNodes(t *testing.T) {
	v := viewOf([]apiNode{someNode("s1", "10.0.0.1", "10.42.0.0/24", true), someNode("s2", "10.0.0.2", "10.42.1.0/24", true), someNode("a1", "10.0.0.3", "10.42.2.0/24", false)}, "s1")
	if v.podCIDR != "10.42.0.0/24" || !slices.Equal(v.servers, []string{"10.0.0.2:6443"}) || len(v.routes) != 2 {
		t.Errorf("%+v", v)
	}
	have := "10.42.1.0/24 via 10.0.0.9 dev eth0 \n10.42.2.0/24 via 10.0.0.3 dev eth0 \n10.42.7.0/24 via 10.0.0.7 dev eth0 \n10.43.0.0/16 dev eth0 scope link \n"
	add, remove := routeChanges(have, v.routes)
	if len(add) != 1 || add["10.42.1.0/24"] != "10.0.0.2" || !slices.Equal(remove, []string{"10.42.7.0/24"}) {
		t.Errorf("add %v remove %v", add, remove)
	}
}

func TestADefaultRouteIsSeen(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	if hasDefaultRoute(head + "eth0\t00001EAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n") {
		t.Error("seen where there is none")
	}
	if !hasDefaultRoute(head + "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n") {
		t.Error("not seen")
	}
}

func TestPodsGetHostPortsAndTheNodesRange(t *testing.T) {
	text := cniConfig("10.42.3.0/24")
	if !json.Valid([]byte(text)) || !strings.Contains(text, "10.42.3.0/24") || !strings.Contains(text, `"portMappings": true`) {
		t.Error(text)
	}
}

func TestTheBalancerTriesItsOwnServerFirstAndFailedOnesLast(t *testing.T) {
	b := newBalancer("", []string{"b:1", "c:1", "b:1"})
	if got := b.candidates(time.Now()); !slices.Equal(got, []string{"b:1", "c:1"}) {
		t.Errorf("%v", got)
	}
	b.setOwn("a:1")
	b.report("a:1", fmt.Errorf("refused"))
	if got := b.candidates(time.Now()); !slices.Equal(got, []string{"b:1", "c:1", "a:1"}) {
		t.Errorf("after a failure: %v", got)
	}
	if got := b.candidates(time.Now().Add(restTime)); got[0] != "a:1" {
		t.Errorf("after its rest: %v", got)
	}
	b.report("a:1", nil)
	if got := b.candidates(time.Now()); got[0] != "a:1" {
		t.Errorf("after a success: %v", got)
	}
}

func member(id, name, host string) etcdMember {
	return etcdMember{ID: id, Name: name, PeerURLs: []string{"https://" + host + ":2380"}}
}

func rounds(p *pruner, n int, members []etcdMember, nodes []apiNode, alive bool) (gone []etcdMember) {
	for range n {
		gone = p.surplus(members, nodes, "s1", func(etcdMember) bool { return alive })
	}
	return gone
}

func TestAMemberIsRemovedOnceItsNodeWasDeleted(t *testing.T) {
	nodes := []apiNode{someNode("s1", "10.0.0.1", "", true), someNode("s2", "10.0.0.2", "", true)}
	members := []etcdMember{member("1", "s1", "10.0.0.1"), member("2", "s2", "10.0.0.2")}
	p := newPruner()
	if gone := rounds(p, 200, members, nodes, true); len(gone) != 0 {
		t.Fatalf("removed with a Node: %v", gone)
	}
	if gone := rounds(p, roundsDead-1, members, nodes[:1], false); len(gone) != 0 {
		t.Errorf("removed too early: %v", gone)
	}
	if gone := rounds(p, 1, members, nodes[:1], false); len(gone) != 1 || gone[0].ID != "2" {
		t.Errorf("not removed: %v", gone)
	}
}

func TestAServerThatIsJoiningKeepsItsMember(t *testing.T) {
	nodes := []apiNode{someNode("s1", "10.0.0.1", "", true), someNode("s2", "10.0.0.2", "", true)}
	p := newPruner()
	rounds(p, 3, []etcdMember{member("1", "s1", "10.0.0.1"), member("2", "s2", "10.0.0.2")}, nodes, true)
	again := []etcdMember{member("1", "s1", "10.0.0.1"), member("3", "s2", "10.0.0.2")} // same name, new life
	if gone := rounds(p, roundsUnclaimed-1, again, nodes[:1], true); len(gone) != 0 {
		t.Errorf("removed while joining: %v", gone)
	}
	if gone := rounds(p, 1, again, nodes[:1], true); len(gone) != 1 {
		t.Error("one that was left behind stays forever")
	}
}

func TestNothingIsRemovedOnAnIncompleteView(t *testing.T) {
	p := newPruner()
	members := []etcdMember{member("1", "s1", "10.0.0.1"), member("2", "s2", "10.0.0.2")}
	if gone := rounds(p, 500, members, nil, false); len(gone) != 0 {
		t.Errorf("removed: %v", gone)
	}
}

func serverConfig(t *testing.T, extra values) Config {
	t.Helper()
	v := values{"token": {"secret"}, "node-ip": {"10.0.0.1"}, "node-name": {"s1"}}
	for k, list := range extra {
		v[k] = list
	}
	c, err := newConfig("server", v)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKubeadmIsToldWhatK3sWasTold(t *testing.T) {
	c := serverConfig(t, values{"tls-san": {"10.0.0.1", "api.example"}, "agent-token": {"other"}, "kube-controller-manager-arg": {"leader-elect-lease-duration=30s", "node-monitor-period=2s"}})
	text, err := c.initConfig(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{bootstrapToken("secret"), bootstrapToken("other"), "api.example", "node-monitor-period", "value: 30s",
		"leader-elect-renew-deadline", patchesDir, clientBundle, currentBin, "10.43.0.10", balancerAddress} {
		if !strings.Contains(text, part) {
			t.Errorf("nothing about %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "value: 8s\n") && strings.Count(text, "leader-elect-lease-duration") != 2 {
		t.Error("the default was not replaced for the controller manager")
	}
	if strings.Contains(text, "secret\n") {
		t.Error("the token itself is in the file")
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	for range 3 {
		var doc map[string]any
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAJoinTrustsTheAuthorityThatIsThere(t *testing.T) {
	c := serverConfig(t, nil)
	server, _ := c.joinConfig(true, "sha256:abc")
	agent, _ := c.joinConfig(false, "")
	if !strings.Contains(server, "sha256:abc") || strings.Contains(server, "unsafeSkip") || !strings.Contains(server, certificateKey("secret")) || !strings.Contains(server, patchesDir) {
		t.Error(server)
	}
	if !strings.Contains(agent, "unsafeSkipCAVerification: true") || strings.Contains(agent, "controlPlane") || strings.Contains(agent, patchesDir) {
		t.Error(agent)
	}
}

func TestAUsersArgumentReplacesOursAndMayRepeat(t *testing.T) {
	got := fmt.Sprint(mergeArgs([]string{"a=1", "b=2"}, []string{"--b=3", "c=4", "c=5", "d"}))
	if got != "[map[name:a value:1] map[name:b value:3] map[name:c value:4] map[name:c value:5] map[name:d value:true]]" {
		t.Error(got)
	}
}

func TestSecretsAreEncryptedWithTheSameKeyEverywhere(t *testing.T) {
	on, off := encryptionConfig("t", true), encryptionConfig("t", false)
	if on != encryptionConfig("t", true) || on == encryptionConfig("u", true) {
		t.Error("the key does not follow from the token alone")
	}
	if strings.Index(on, "aescbc") > strings.Index(on, "identity") || strings.Index(off, "aescbc") < strings.Index(off, "identity") {
		t.Error("the first provider writes")
	}
}

func TestManifestsAreRenderedAndCanBeLeftOut(t *testing.T) {
	files, err := packaged(serverConfig(t, nil), false)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		d := yaml.NewDecoder(strings.NewReader(text))
		for {
			var doc any
			if err := d.Decode(&doc); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
		}
	}
	if !strings.Contains(files["coredns.yaml"], "clusterIP: 10.43.0.10") || strings.Contains(files["coredns.yaml"], "forward .") {
		t.Error(files["coredns.yaml"])
	}
	if !strings.Contains(files["local-storage.yaml"], storageDir) {
		t.Error(files["local-storage.yaml"])
	}
	if files, _ := packaged(serverConfig(t, values{"disable": {"coredns", "local-storage"}}), true); len(files) != 0 {
		t.Errorf("not left out: %v", files)
	}
}

func TestAResolverOnLoopbackIsNotPassedToPods(t *testing.T) {
	if _, usable := resolvers("nameserver 127.0.0.11\noptions ndots:0\n"); usable {
		t.Error("loopback taken")
	}
	if text, usable := resolvers("nameserver 127.0.0.53\nnameserver 10.0.0.2\n"); !usable || !strings.Contains(text, "10.0.0.2") {
		t.Error("usable resolver not taken")
	}
}

func TestOnlyWholeArchivesAreImported(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.tar", "b.tar.zst", "c.tar.gz", "d.tar.lz4", "e.tar.partial", ".cache.json"} {
		write(t, dir, name, "")
	}
	usable, unusable := archives(dir)
	if len(usable) != 3 || len(unusable) != 1 {
		t.Errorf("%v %v", usable, unusable)
	}
}

func TestTheRightToLowerOOMScoresIsRead(t *testing.T) {
	if mayLowerOOMScore("CapEff:\t000001fffeffffff\n") || !mayLowerOOMScore("Name:\tx\nCapEff:\t000001ffffffffff\n") {
		t.Error("CAP_SYS_RESOURCE is bit 24")
	}
}

func TestTheEndOfALogIsKept(t *testing.T) {
	var log tail
	for i := range 5000 {
		fmt.Fprintf(&log, "line %d\n", i)
	}
	text := log.String()
	if !strings.HasSuffix(text, "  | line 4999") || strings.Count(text, "\n") != tailLines-1 {
		t.Error(text)
	}
}
