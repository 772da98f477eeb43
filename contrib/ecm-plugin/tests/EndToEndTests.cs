// SPDX-License-Identifier: Apache-2.0
// The plug-in in a process of its own, before the real gateway and a simulated vault, over TLS with a private authority.
// Each test ends with the two promises: no secret in any output, no lease and no request at the vault left.

using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Jumpgate.EcmPlugin.Tests;

public sealed class EndToEndTests : IDisposable
{
    private static readonly string[] AllOperations = [.. World.Operations.Keys];
    private readonly Folder folder = new();
    private readonly Pki pki;
    private readonly List<Program> hosts = [];
    private Vault? vault;
    private Gateway? gateway;

    public EndToEndTests() => pki = new(folder);

    public void Dispose()
    {
        hosts.ForEach(host => host.Dispose());
        gateway?.Dispose();
        vault?.Dispose();
        pki.Dispose();
        folder.Dispose();
    }

    private void Begin(bool clientCertificate)
    {
        vault = new(pki);
        gateway = new(folder, pki, vault, clientCertificate);
    }

    private TestHostProcess Host(
        bool clientCertificate, Action<Dictionary<string, string>>? change = null, string token = Gateway.Token, string? url = null,
        string? program = null)
    {
        var made = new TestHostProcess(url ?? gateway!.Url, pki, clientCertificate, change, token, program);
        hosts.Add(made);
        return made;
    }

    private static object Session(string id, string host = "ledger01", string user = "mrivera") =>
        new { id, lsid = "01234567-89ab-cdef-0123-456789abcdef", user = new { username = user, domain = "ACME" }, jump_item = new { computer_name = host, method = "ShellJump" } };

    private static bool Success(JsonElement answer) => answer.GetProperty("success").GetBoolean();

    private static string Error(JsonElement answer) => answer.GetProperty("error").GetString() ?? "";

    private static async Task<string> FindAsync(TestHostProcess host, object session)
    {
        var found = await host.AskAsync("find_credentials", session);
        Assert.True(Success(found), Error(found));
        return found.GetProperty("value").EnumerateArray().First().GetProperty("CredentialId").GetString()!;
    }

    /// <summary>Ends the hosts, and holds what every test promises.</summary>
    private async Task EndAsync()
    {
        foreach (var host in hosts.OfType<TestHostProcess>())
        {
            host.Finish();
        }
        if (vault is not null)
        {
            await Program.EventuallyAsync(async () => await vault.LiveAsync() == 0, () => "a request is left at the vault\n" + gateway?.Text);
        }
        if (gateway is not null)
        {
            await Program.EventuallyAsync(async () => await gateway.LeasesAsync() == 0, () => "a lease is left\n" + gateway.Text);
        }
        var text = string.Join('\n', hosts.Select(host => host.Text).Append(gateway?.Text ?? ""));
        Assert.NotEqual("", text);
        string[] secrets = ["Tr0ut", Gateway.Token, Pki.ClientPassword, Vault.ApiKey, "PRIVATE KEY", "DEK-Info"];
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
    }

    /// <summary>Every operation fails, with a text that holds one of the words.</summary>
    private static async Task AllFailAsync(TestHostProcess host, params string[] words)
    {
        var answers = await host.AskAsync([.. AllOperations.Select(operation =>
            (object)new { operation, parallel = true, arguments = new { session = Session("S-9"), credential_id = "c1" } })]);
        foreach (var (operation, answer) in AllOperations.Zip(answers))
        {
            Assert.False(Success(answer), operation);
            Assert.Equal(JsonValueKind.Null, answer.GetProperty("value").ValueKind);
            Assert.True(Array.Exists(words, word => Error(answer).Contains(word, StringComparison.Ordinal)), $"{operation}: {Error(answer)}");
            // A generous bound: the deadline is 30 s, or a second and a half where the test is about the deadline.
            Assert.InRange(answer.GetProperty("milliseconds").GetInt64(), 0, 20_000);
        }
    }

    private static void Hurry(Dictionary<string, string> keys)
    {
        foreach (var key in new[] { "Find", "Checkout", "Other" })
        {
            keys[$"Jumpgate__{key}TimeoutMs"] = "1500";
        }
    }

    [GatewayTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nine_operations(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate);
        var session = Session("S-1");

        var capabilities = await host.AskAsync("capabilities", null);
        Assert.True(Success(capabilities), Error(capabilities));
        Assert.True(capabilities.GetProperty("value").GetProperty("SupportsEndpointSearch").GetBoolean());
        Assert.False(capabilities.GetProperty("value").GetProperty("SupportsStartSession").GetBoolean());

        var health = await host.AskAsync("health", null);
        Assert.True(Success(health), Error(health));
        Assert.True(health.GetProperty("value").GetProperty("IsHealthy").GetBoolean());

        var credential = await FindAsync(host, session);
        var nothing = await host.AskAsync("find_credentials", Session("S-1", "no-such-host"));
        Assert.True(Success(nothing));
        Assert.Equal(0, nothing.GetProperty("value").GetArrayLength());

        var secret = await host.AskAsync("checkout", session, credential);
        Assert.True(Success(secret), Error(secret));
        Assert.Equal("root", secret.GetProperty("value").GetProperty("Username").GetString());
        Assert.Equal(
            Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Vault.Password))),
            secret.GetProperty("value").GetProperty("PasswordSha256").GetString());
        Assert.Equal((1, 1), (await vault!.LiveAsync(), await gateway!.LeasesAsync()));

        var endpoints = (await host.AskAsync(new { operation = "find_endpoints", arguments = new { session, query = "ledger" } }))[0];
        Assert.True(Success(endpoints), Error(endpoints));
        Assert.All(endpoints.GetProperty("value").EnumerateArray(), one => Assert.StartsWith("ledger01", one.GetProperty("Hostname").GetString(), StringComparison.Ordinal));
        Assert.NotEqual(0, endpoints.GetProperty("value").GetArrayLength());

        var start = await host.AskAsync("start_session", session, credential);
        Assert.False(Success(start));
        Assert.Contains("unsupported", Error(start), StringComparison.Ordinal);

        var started = (await host.AskAsync(new
        {
            operation = "session_started",
            arguments = new { session, history_url = "https://pra.example.test/h", history_url_expiry_seconds = 60 },
        }))[0];
        Assert.True(Success(started), Error(started));

        var released = (await host.AskAsync(new
        {
            operation = "release",
            arguments = new { session, credential_id = credential, session_ended_at = 1_790_000_000 },
        }))[0];
        Assert.True(Success(released), Error(released));
        await Program.EventuallyAsync(async () => await vault.LiveAsync() == 0, "the release did not reach the vault");

        Assert.True(Success(await host.AskAsync("checkout", session, credential)));
        Assert.Equal(1, await vault.LiveAsync());
        var complete = await host.AskAsync("session_complete", session);
        Assert.True(Success(complete), Error(complete));
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    public async Task An_sdk_with_other_names_and_types(bool clientCertificate)
    {
        Begin(clientCertificate);
        await vault!.ChangeAccountAsync(new { id = 410, password = (string?)null });
        var host = Host(clientCertificate, program: Program.Metadata("OtherHostPath"));
        static object About(string machine) => new
        {
            lsid = "01234567-89ab-cdef-0123-456789abcdef",
            user = new { username = "mrivera", domain = "ACME" },
            jump_item = new { computer_name = machine, hostname = machine + ".acme.test", port = 22 },
        };

        Assert.True(Success(await host.AskAsync("capabilities", null)));
        var health = await host.AskAsync("health", null);
        Assert.True(Success(health), Error(health));
        Assert.True(health.GetProperty("value").GetProperty("Shown").GetBoolean());

        var endpoints = (await host.AskAsync(new
        {
            operation = "find_endpoints",
            arguments = new { session = About("x"), types = new[] { "Shell" }, query = "ledger" },
        }))[0];
        Assert.True(Success(endpoints), Error(endpoints));
        var endpoint = Assert.Single(endpoints.GetProperty("value").EnumerateArray());
        Assert.Equal(
            ("ledger01", "Shell", "ledger01", "22"),
            (endpoint.GetProperty("HostName").GetString(), endpoint.GetProperty("EndpointType").GetString(),
                endpoint.GetProperty("Name").GetString(), endpoint.GetProperty("Port").GetString()));

        foreach (var (machine, member) in new[] { ("ledger01", "PasswordSha256"), ("keyhost", "KeySha256") })
        {
            var credential = await FindAsync(host, About(machine));
            var secret = await host.AskAsync("checkout", About(machine), credential);
            Assert.True(Success(secret), Error(secret));
            Assert.Equal(JsonValueKind.String, secret.GetProperty("value").GetProperty(member).ValueKind);
        }
        Assert.Equal(2, await gateway!.LeasesAsync());
        var start = await host.AskAsync("start_session", About("ledger01"), "c1");
        Assert.Contains("unsupported", Error(start), StringComparison.Ordinal);
        Assert.True(Success(await host.AskAsync("session_complete", About("ledger01"))));
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Fifty_calls_at_once(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate);
        var credential = await FindAsync(host, Session("S-0"));
        var finds = await host.AskAsync([.. Enumerable.Range(0, 50).Select(i =>
            (object)new { operation = "find_credentials", parallel = true, arguments = new { session = Session($"S-{i}") } })]);
        Assert.All(finds, answer => Assert.True(Success(answer), Error(answer)));
        Assert.All(finds, answer => Assert.Equal(credential, answer.GetProperty("value")[0].GetProperty("CredentialId").GetString()));
        var secrets = await host.AskAsync([.. Enumerable.Range(0, 50).Select(i =>
            (object)new { operation = "checkout", parallel = true, arguments = new { session = Session($"S-{i}"), credential_id = credential } })]);
        Assert.All(secrets, answer => Assert.True(Success(answer), Error(answer)));
        Assert.NotEqual(0, await vault!.LiveAsync());
        var ends = await host.AskAsync([.. Enumerable.Range(0, 50).Select(i =>
            (object)new { operation = "session_complete", parallel = true, arguments = new { session = Session($"S-{i}") } })]);
        Assert.All(ends, answer => Assert.True(Success(answer), Error(answer)));
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(true)]
    public async Task An_ssh_key_is_a_failure_and_is_given_back(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate);
        await vault!.ChangeAccountAsync(new { id = 410, password = (string?)null });
        var session = Session("S-1", "keyhost");
        var credential = await FindAsync(host, session);
        var secret = await host.AskAsync("checkout", session, credential);
        Assert.False(Success(secret));
        Assert.Contains("SSH key", Error(secret), StringComparison.Ordinal);
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    public async Task The_gateway_is_stopped_and_comes_back(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate);
        var session = Session("S-1");
        var credential = await FindAsync(host, session);
        Assert.True(Success(await host.AskAsync("checkout", session, credential)));
        gateway!.Program.Signal("TERM");
        Assert.Equal(0, gateway.Program.Ended());
        await AllFailAsync(host, "gateway_unreachable", "connection_lost");
        gateway.Restart();
        Assert.True(Success(await host.AskAsync("session_complete", session)));
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_gateway_is_killed_in_mid_call(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate);
        var session = Session("S-1");
        var credential = await FindAsync(host, session);
        await vault!.LatencyAsync(1500);
        var asked = Task.Run(() => host.AskAsync("checkout", session, credential));
        // The vault has the request while the gateway still waits for the answer.
        await Program.EventuallyAsync(async () => await vault.LiveAsync() > 0 || asked.IsCompleted, "the check-out did not reach the vault");
        gateway!.Program.Signal("KILL");
        var answer = await asked;
        Assert.False(Success(answer), "the call ended before the gateway did");
        Assert.Contains("connection_lost", Error(answer), StringComparison.Ordinal);
        await vault.LatencyAsync(0);
        gateway.Restart();
        // The lease may have been on disk before the gateway died: then the end of the session ends it. Where the gateway
        // died earlier, it checks in by itself what no lease holds.
        var complete = await host.AskAsync("session_complete", session);
        Assert.True(Success(complete), Error(complete));
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_gateway_hangs(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate, Hurry);
        var patient = Host(clientCertificate);
        var session = Session("S-1");
        var credential = await FindAsync(patient, session);
        gateway!.Program.Signal("STOP");
        try
        {
            await AllFailAsync(host, "deadline_exceeded");
            // A check-out whose caller has left meanwhile: when the gateway goes on, it gives back what it got.
            Assert.False(Success(await host.AskAsync("checkout", session, credential)));
        }
        finally
        {
            gateway.Program.Signal("CONT");
        }
        Assert.True(Success(await patient.AskAsync("health", null)));
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_token(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(clientCertificate, token: "a-wrong-token");
        await AllFailAsync(host, "unauthenticated");
        Assert.DoesNotContain("a-wrong-token", host.Text, StringComparison.Ordinal);
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(true)]
    public async Task The_client_certificate_is_missing(bool clientCertificate)
    {
        Begin(clientCertificate);
        var host = Host(false);
        await AllFailAsync(host, "connection_lost", "gateway_untrusted");
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    public async Task Another_authority_is_trusted(bool clientCertificate)
    {
        Begin(clientCertificate);
        using var other = new Authority("another authority");
        var host = Host(clientCertificate, keys => keys["Jumpgate__CaFile"] = folder.File("other.pem", other.Pem));
        await AllFailAsync(host, "gateway_untrusted");
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    public async Task The_right_authority_and_the_wrong_name(bool clientCertificate)
    {
        Begin(clientCertificate);
        // The certificate has 127.0.0.1 and localhost; this address reaches the same socket by another name.
        var host = Host(clientCertificate, url: gateway!.Url.Replace("127.0.0.1", "[::ffff:127.0.0.1]", StringComparison.Ordinal));
        await AllFailAsync(host, "gateway_untrusted");
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData("cut")]
    [InlineData("html")]
    [InlineData("silence")]
    [InlineData("wrong name")]
    public async Task Something_else_answers(string what)
    {
        using var named = pki.Authority.Make("elsewhere.example.test");
        using var local = pki.Authority.Make("localhost", IPAddress.Loopback);
        using var fake = new FakeGateway(
            request => what switch
            {
                "cut" => Reply.Cut(World.Secret, 20),
                "html" => Reply.Json("<html><body>502 Bad Gateway</body></html>", 502, "text/html"),
                _ => Reply.Silence,
            },
            what == "wrong name" ? named : local);
        var host = Host(false, what == "silence" ? Hurry : null, url: fake.Url());
        await AllFailAsync(host, what switch
        {
            // No status that the other side could give is a success of "start session".
            "cut" => ["connection_lost", "invalid_answer"],
            "html" => ["invalid_answer"],
            "wrong name" => ["gateway_untrusted"],
            _ => ["deadline_exceeded"],
        });
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(true)]
    public async Task The_host_runs_the_plugin_and_stops_in_order(bool clientCertificate)
    {
        Begin(clientCertificate);
        var environment = TestHostProcess.Environment(gateway!.Url, pki, clientCertificate, null, Gateway.Token);
        // The stub's session has no id.
        environment["Jumpgate__MemberMap"] = folder.File("members.json", """{"session.id":{"need":"call"}}""");
        environment["ECMConfig__SRASiteHostname"] = "pra.example.test";
        environment["ECMConfig__SRAClientId"] = "client-17";
        environment["ECMConfig__SRAClientSecretFile"] = folder.File("sra", "Tr0ut-secret-of-the-site\n");
        var host = new Program(Program.Dotnet, [Program.Metadata("HostPath")], environment);
        hosts.Add(host);
        await Program.EventuallyAsync(() => Task.FromResult(host.Text.Contains("capabilities True health True", StringComparison.Ordinal)), host.Text);
        Assert.Contains("site pra.example.test client client-17 secret of 24 characters", host.Text, StringComparison.Ordinal);
        Assert.Contains("operation=health outcome=ok", host.Text, StringComparison.Ordinal);
        host.Signal("TERM");
        Assert.Equal(0, host.Ended());
        await EndAsync();
    }

    [GatewayTheory]
    [InlineData(false)]
    public void The_host_names_all_mistakes(bool clientCertificate)
    {
        var environment = TestHostProcess.Environment("http://192.0.2.1", pki, clientCertificate, keys => keys["Jumpgate__LogLevel"] = "loud", "t");
        environment["ECMConfig__SRASiteHostname"] = "pra.example.test";
        var host = new Program(Program.Dotnet, [Program.Metadata("HostPath")], environment);
        hosts.Add(host);
        Assert.Equal(2, host.Ended());
        string[] wanted = ["ECMConfig:SRAClientId: is missing", "ECMConfig:SRAClientSecret: is missing (SRAClientSecretFile may name a file that holds it)", "Jumpgate:Url: http is for loopback", "Jumpgate:LogLevel:"];
        Assert.All(wanted, text => Assert.Contains(text, host.Text, StringComparison.Ordinal));
    }
}
