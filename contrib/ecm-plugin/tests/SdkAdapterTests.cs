// SPDX-License-Identifier: Apache-2.0
// Members of the SDK that are found by name: which are read, what a missing one does, and what a map changes.

using System.Text;
using System.Text.Json;
using BeyondTrust.Integration.ECM.SDK.Model;
using Jumpgate.EcmPlugin.TestHost;

namespace Jumpgate.EcmPlugin.Tests;

/// <summary>A session as another version of the SDK may have it: other names, other types, an object between.</summary>
internal sealed class OtherSession : SRASession
{
    public Guid Lsid { get; set; }

    public int? Id { get; set; }

    public Person? User { get; set; }

    public Deep? Details { get; set; }

    internal sealed class Person
    {
        public string? UserName { get; set; }

        public string? Name => throw new InvalidOperationException("a member that cannot be read");

        public string? DomainName { get; set; }
    }

    internal sealed class Deep
    {
        public string? Key { get; set; }
    }
}

internal enum OtherKind
{
    Unknown,
    RemoteRdp,
    ShellJump,
}

/// <summary>An endpoint that is made by its constructor, with a port that is a text and a method that is an enumeration.</summary>
internal sealed class OtherEndpoint(string hostname, OtherKind type) : EndpointPackage
{
    public string Hostname { get; } = hostname;

    public OtherKind Type { get; } = type;

    public string? Port { get; set; }

    public string? Comments { get; init; }
}

internal sealed class RefusingEndpoint : EndpointPackage
{
    public string? Hostname
    {
        get => null;
        set => throw new ArgumentException($"not {value}");
    }

    public string? Host { get; set; }

    public string? Comments
    {
        get => null;
        set => throw new ArgumentException($"not {value}");
    }

    public string? Description { get; set; }
}

internal sealed class SetterlessEndpoint : EndpointPackage
{
    public string Hostname { get; } = "";
}

/// <summary>A type that makes packages of keys.</summary>
internal sealed class KeyPackage : CredentialPackage
{
    public string? Key { get; private set; }

    public string? Phrase { get; private set; }

    public int More { get; private set; }

    public static CredentialPackage BuildSSHKeyPackage(string credentialId, string userName, string sshKey, string keyPassphrase, int more = 7) =>
        new KeyPackage { CredentialId = credentialId, Username = userName, Key = sshKey, Phrase = keyPassphrase, More = more };

    public static CredentialPackage BuildKeyPackageFor(string key, int purpose) => new KeyPackage { Key = key, More = purpose };
}

public class SdkAdapterTests
{
    private static MemberMap Map(string json)
    {
        var mistakes = new List<string>();
        var map = MemberMap.Parse(Encoding.UTF8.GetBytes(json), mistakes.Add);
        Assert.Empty(mistakes);
        return map;
    }

    private static JsonElement Sent(GatewaySession session)
    {
        using var document = JsonDocument.Parse(session.Body());
        return document.RootElement.GetProperty("session").Clone();
    }

    [Fact]
    public void Every_member_of_the_api_is_sent()
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(TestSession));
        var sent = Sent(adapter.ReadSession(new TestSession
        {
            SessionKey = "S-1",
            LSID = "{01234567-89AB-cdef-0123-456789abcdef}",
            SRAUser = new() { Username = "ann", Domain = "CORP" },
            JumpItem = new()
            {
                ComputerName = "WEB01", Name = "web", Hostname = "web01.corp.test", IPAddress = "192.0.2.7", Port = 3389,
                JumpMethod = "RemoteRDP", Application = "App", NetworkId = "blue",
            },
        }, withId: true));
        Assert.Equal(
            """{"id":"S-1","lsid":"{01234567-89AB-cdef-0123-456789abcdef}","user":{"username":"ann","domain":"CORP"},"jump_item":{"method":"rdp","computer_name":"WEB01","hostname":"web01.corp.test","ip_address":"192.0.2.7","name":"web","port":3389,"application":"App","network_id":"blue"}}""",
            sent.GetRawText());
    }

    [Fact]
    public void What_has_no_value_is_left_out()
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(TestSession));
        var sent = Sent(adapter.ReadSession(new TestSession { SRAUser = new() { Username = "ann", Domain = " " }, SessionKey = "" }, withId: false));
        Assert.Equal("""{"user":{"username":"ann"},"jump_item":{}}""", sent.GetRawText());
    }

    [Theory]
    [InlineData(@"CORP\ann", null, "CORP", "ann")]
    [InlineData(@"CORP\ann", "corp.test", "corp.test", "ann")]
    [InlineData("ann@corp.test", null, null, "ann@corp.test")]
    [InlineData("ann@corp.test", "CORP", "CORP", "ann@corp.test")]
    [InlineData(@"\ann", null, null, "ann")]
    public void Names_of_people(string username, string? domain, string? wantedDomain, string wantedName)
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(TestSession));
        var made = adapter.ReadSession(new TestSession { SRAUser = new() { Username = username, Domain = domain } }, withId: false);
        Assert.Equal((wantedDomain, wantedName), (made.Domain, made.Username));
    }

    [Theory]
    [InlineData("0123456789abcdef0123456789abcdef", true)]
    [InlineData("01234567-89ab-cdef-0123-456789abcdef", true)]
    [InlineData("{01234567-89ab-cdef-0123-456789abcdef}", true)]
    [InlineData("(01234567-89ab-cdef-0123-456789abcdef)", false)]
    [InlineData("session 17", false)]
    [InlineData(" 123456789abcdef0123456789abcdef", false)]
    [InlineData("0x123456789abcdef0123456789abcdef", false)]
    public void Only_the_form_of_an_lsid_is_sent_as_lsid(string given, bool sent)
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(TestSession));
        var made = adapter.ReadSession(new TestSession { LSID = given, SRAUser = new() { Username = "a" } }, withId: false);
        Assert.Equal(sent ? given : null, made.Lsid);
    }

    [Fact]
    public void Other_names_and_types_are_found()
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(OtherSession));
        var id = Guid.Parse("01234567-89ab-cdef-0123-456789abcdef");
        var made = adapter.ReadSession(
            new OtherSession { Id = 17, Lsid = id, User = new() { UserName = "ann", DomainName = "CORP" } }, withId: true);
        Assert.Equal(("17", id.ToString("D"), "ann", "CORP"), (made.Id, made.Lsid, made.Username, made.Domain));
        Assert.Null(adapter.Unfit());
    }

    [Theory]
    [InlineData("10.0.0.7", "10.0.0.7", null)]
    [InlineData("fe80::1", "fe80::1", null)]
    [InlineData("host.corp.test", null, "host.corp.test")]
    public void An_address_that_is_a_name_is_a_hostname(string given, string? address, string? hostname)
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(TestSession));
        var made = adapter.ReadSession(
            new TestSession { SRAUser = new() { Username = "a" }, JumpItem = new() { IPAddress = given } }, withId: false);
        Assert.Equal((address, hostname), (made.IpAddress, made.Hostname));
    }

    [Theory]
    [InlineData("RDP", "rdp")]
    [InlineData("Shell Jump", "shell")]
    [InlineData("WebJump", "web")]
    [InlineData("ProtocolTunnel", "tunnel")]
    [InlineData("Jump Client", "jump_client")]
    [InlineData("VNC", "other")]
    public void Methods_go_by_name(string given, string word)
    {
        var adapter = new SdkAdapter(MemberMap.Empty, typeof(TestSession));
        Assert.Equal(word, adapter.ReadSession(
            new TestSession { SRAUser = new() { Username = "a" }, JumpItem = new() { JumpMethod = given } }, withId: false).Method);
    }

    [Fact]
    public async Task A_required_member_that_is_missing_fails_the_call_and_the_health_check()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url(), sessionType: typeof(SRASession));
        var session = new SRASession { SRAUser = new() { Username = "ann" }, JumpItem = new() { ComputerName = "web01" } };
        // A find does without the id.
        Assert.True((await world.Plugin.FindCredentialsForSessionAsync(session)).IsSuccess);
        foreach (var error in new[]
        {
            World.Outcome(await world.Plugin.GetCredentialForInjectionAsync(session, "c1")).Error,
            World.Outcome(await world.Plugin.ReleaseCredentialFromSessionAsync(session, "c1", 0)).Error,
            World.Outcome(await world.Plugin.SessionStartedAsync(session)).Error,
            World.Outcome(await world.Plugin.SessionCompleteAsync(session)).Error,
            World.Outcome(await world.Plugin.PerformHealthCheckAsync()).Error,
        })
        {
            Assert.Contains("session.id: SRASession has none of SessionId", error, StringComparison.Ordinal);
        }
        Assert.Single(gateway.Requests);
        Assert.Contains(world.Log, line => line.StartsWith("Error SDK member missing: session.id", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_required_member_without_a_value_fails_the_call_only()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        var session = World.Session();
        session.SRAUser = null;
        Assert.Contains("user.username: the ECM gave a session whose SRAUser.Username is empty",
            World.Outcome(await world.Plugin.FindCredentialsForSessionAsync(session)).Error, StringComparison.Ordinal);
        Assert.True((await world.Plugin.PerformHealthCheckAsync()).IsSuccess);
    }

    [Fact]
    public void What_was_found_is_logged_once()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        Assert.Single(world.Log, line => line.Contains("SDK members found: session.id=SessionKey session.lsid=LSID user.username=SRAUser.Username", StringComparison.Ordinal));
        Assert.Single(world.Log, line => line.Contains("not found, left out: ", StringComparison.Ordinal) && line.Contains("credential.key_package", StringComparison.Ordinal));
    }

    [Fact]
    public void The_map_stands_above_the_table()
    {
        var adapter = new SdkAdapter(
            Map("""
                {
                  // a comment
                  "session.id": "Details.Key",
                  "user.username": ["Nothing", "JumpItem.ComputerName"],
                  "user.domain": { "names": [] }
                }
                """),
            typeof(OtherSession));
        var made = adapter.ReadSession(
            new OtherSession { Details = new() { Key = "K-9" }, JumpItem = new() { ComputerName = "ann" }, User = new() { DomainName = "CORP" } }, withId: true);
        Assert.Equal(("K-9", "ann", null), (made.Id, made.Username, made.Domain));
    }

    [Fact]
    public void The_map_says_what_is_required()
    {
        Assert.NotNull(new SdkAdapter(MemberMap.Empty).Unfit());
        Assert.Null(new SdkAdapter(Map("""{"session.id":{"need":"call"}}""")).Unfit());
        Assert.NotNull(new SdkAdapter(Map("""{"jump_item.port":{"names":["None"],"need":"health"},"session.id":{"need":"optional"}}""")).Unfit());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"nothing":"x"}""")]
    [InlineData("""{"session.id":null}""")]
    [InlineData("""{"session.id":[1]}""")]
    [InlineData("""{"session.id":{"names":7}}""")]
    [InlineData("""{"session.id":{"need":"always"}}""")]
    [InlineData("""{"endpoint_types":[]}""")]
    public void Maps_that_are_not_taken(string text)
    {
        var mistakes = new List<string>();
        MemberMap.Parse(Encoding.UTF8.GetBytes(text), mistakes.Add);
        Assert.Single(mistakes);
    }

    [Fact]
    public void An_endpoint_is_made_by_constructor_and_setters()
    {
        var adapter = new SdkAdapter(MemberMap.Empty, endpointType: typeof(OtherEndpoint));
        var made = Assert.IsType<OtherEndpoint>(Assert.Single(adapter.Endpoints(
            [new("e1", "web01", "web01.corp.test", null, 22, "shell", "a comment", null)])));
        Assert.Equal(("web01.corp.test", OtherKind.ShellJump, "22", "a comment"), (made.Hostname, made.Type, made.Port, made.Comments));
    }

    [Theory]
    [InlineData(typeof(EndpointPackage), true)]
    [InlineData(typeof(EndpointPackage), false)]
    [InlineData(typeof(SetterlessEndpoint), false)]
    public async Task Endpoints_that_the_sdk_cannot_hold_are_a_failure_and_no_empty_list(Type type, bool empty)
    {
        using var gateway = new FakeGateway(request => empty && request.Path == "/v1/endpoints/find" ? Reply.Json("""{"endpoints":[],"truncated":false,"age_ms":0}""") : World.Good(request));
        using var world = new World(gateway.Url(), endpointType: type);
        var (success, value, error) = World.Outcome(await world.Plugin.FindAvailableEndpointsAsync(World.Session(), [], "", null));
        Assert.False(success);
        Assert.Null(value);
        Assert.Contains("endpoint.hostname", error, StringComparison.Ordinal);
        // The health check does not depend on it.
        Assert.True((await world.Plugin.PerformHealthCheckAsync()).IsSuccess);
    }

    [Fact]
    public void A_member_that_refuses_a_value_is_left_out()
    {
        var adapter = new SdkAdapter(MemberMap.Empty, endpointType: typeof(RefusingEndpoint));
        var made = Assert.IsType<RefusingEndpoint>(Assert.Single(adapter.Endpoints(
            [new("e1", "web01", "web01.corp.test", null, 22, "shell", "a comment", null)])));
        Assert.Equal(("web01.corp.test", "a comment"), (made.Host, made.Description));
    }

    [Fact]
    public void A_kind_of_secret_that_nothing_knows_is_refused()
    {
        var adapter = new SdkAdapter(MemberMap.Empty);
        Assert.Throws<SdkMemberException>(() => adapter.Package(new("c1", "token", "u", null, null, null)));
        Assert.Throws<SdkMemberException>(() => adapter.Package(new("c1", "ssh_key", "u", null, "k", null)));
    }

    [Fact]
    public void A_package_for_keys_is_used_where_the_sdk_has_one()
    {
        var adapter = new SdkAdapter(MemberMap.Empty, packageType: typeof(KeyPackage));
        var made = Assert.IsType<KeyPackage>(adapter.Package(new("c1", "ssh_key", "root", null, "the key", "the phrase")));
        Assert.Equal(("c1", "root", "the key", "the phrase", 7), (made.CredentialId, made.Username, made.Key, made.Phrase, made.More));
        Assert.Null(Assert.IsType<KeyPackage>(adapter.Package(new("c1", "ssh_key", "root", null, "the key", null))).Phrase);
    }

    [Theory]
    [InlineData("BuildUsernamePasswordPackage")]
    [InlineData("BuildKeyPackageFor")]
    public void A_method_that_takes_no_key_or_something_unknown_is_no_package_for_keys(string method)
    {
        var adapter = new SdkAdapter(Map($$"""{"credential.key_package":"{{method}}"}"""), packageType: typeof(KeyPackage));
        Assert.Throws<SdkMemberException>(() => adapter.Package(new("c1", "ssh_key", "u", null, "k", null)));
    }
}
