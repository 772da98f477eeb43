// SPDX-License-Identifier: Apache-2.0
// The nine operations: what is sent, and what comes of the answer.

using System.Globalization;
using System.Text.Json;
using BeyondTrust.Integration.ECM.SDK.Model;
using BeyondTrust.Integration.ECM.SDK.Plugin;
using Jumpgate.EcmPlugin.TestHost;

namespace Jumpgate.EcmPlugin.Tests;

public class OperationTests
{
    [Fact]
    public async Task Capabilities_are_passed_on()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        var result = await world.Plugin.GetPluginCapabilitiesAsync();
        Assert.True(result.IsSuccess);
        var value = result.ResultValue!;
        Assert.True(value.SupportsCredentialsUsed && value.SupportsEndpointSearch && value.SupportsHealthCheck
            && value.SupportsSessionComplete && value.SupportsSessionStarted);
        Assert.False(value.SupportsStartSession);
        Assert.Equal("GET", Assert.Single(gateway.Requests).Method);
    }

    [Fact]
    public async Task Each_capability_has_its_own_flag()
    {
        string[] names = ["credentials_used", "endpoint_search", "health_check", "session_complete", "session_started", "start_session"];
        foreach (var name in names)
        {
            var flags = string.Join(',', names.Select(one => $"\"{one}\":{(one == name ? "true" : "false")}"));
            using var gateway = new FakeGateway(_ => Reply.Json("{\"capabilities\":{" + flags + "}}"));
            using var world = new World(gateway.Url());
            var value = (await world.Plugin.GetPluginCapabilitiesAsync()).ResultValue!;
            var set = typeof(PluginCapabilities).GetProperties().Where(p => (bool)p.GetValue(value)!).Select(p => p.Name);
            Assert.Equal("Supports" + string.Concat(name.Split('_').Select(w => char.ToUpperInvariant(w[0]) + w[1..])), Assert.Single(set));
        }
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(503, false)]
    public async Task Health_is_passed_on_also_with_503(int status, bool healthy)
    {
        using var gateway = new FakeGateway(_ => Reply.Json(
            $$"""{"healthy":{{(healthy ? "true" : "false")}},"checks":[{"name":"vault:main","ok":{{(healthy ? "true" : "false")}},"detail":"unreachable"}]}""", status));
        using var world = new World(gateway.Url());
        var result = await world.Plugin.PerformHealthCheckAsync();
        Assert.True(result.IsSuccess);
        Assert.Equal(healthy, result.ResultValue!.IsHealthy);
        Assert.Equal(!healthy, world.Log.Any(line => line.Contains("vault:main: unreachable", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Health_without_an_answer_is_a_failure()
    {
        using var gateway = new FakeGateway(_ => Reply.Problem(503, "overloaded", "too many calls"));
        using var world = new World(gateway.Url());
        var (success, value, error) = World.Outcome(await world.Plugin.PerformHealthCheckAsync());
        Assert.False(success);
        Assert.Null(value);
        Assert.Contains("overloaded", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Credentials_keep_order_and_text()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        var result = await world.Plugin.FindCredentialsForSessionAsync(World.Session());
        Assert.True(result.IsSuccess);
        Assert.Equal([("c1", "root (web01)"), ("c2", "")], result.ResultValue!.Select(one => (one.CredentialId!, one.DisplayValue!)));
    }

    [Fact]
    public async Task An_empty_list_is_a_success_when_the_gateways_is()
    {
        using var gateway = new FakeGateway(_ => Reply.Json("""{"credentials":[],"request_id":"x","age_ms":0}"""));
        using var world = new World(gateway.Url());
        var result = await world.Plugin.FindCredentialsForSessionAsync(World.Session());
        Assert.True(result.IsSuccess);
        Assert.Empty(result.ResultValue!);
    }

    [Fact]
    public async Task A_checkout_makes_the_package()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        var result = await world.Plugin.GetCredentialForInjectionAsync(World.Session(), "c1");
        Assert.True(result.IsSuccess);
        Assert.Equal(("c1", @"CORP\adm", World.Password), (result.ResultValue!.CredentialId, result.ResultValue.Username, result.ResultValue.Password));
        var sent = World.Json(Assert.Single(gateway.Requests));
        Assert.Equal("c1", sent.GetProperty("credential_id").GetString());
        Assert.Equal("S-1", sent.GetProperty("session").GetProperty("id").GetString());
    }

    [Theory]
    [InlineData(1_700_000_000L, "1700000000")]
    [InlineData(1_700_000_000_123L, "1700000000")]
    [InlineData(0L, "null")]
    [InlineData(-5L, "null")]
    public async Task Release_sends_the_end_in_seconds_or_null(long given, string sent)
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        Assert.True((await world.Plugin.ReleaseCredentialFromSessionAsync(World.Session(), "c1", given)).IsSuccess);
        Assert.Equal(sent, World.Json(Assert.Single(gateway.Requests)).GetProperty("session_ended_at").GetRawText());
    }

    [Theory]
    [InlineData(null, "null")]
    [InlineData(7, "7")]
    [InlineData(0, "null")]
    [InlineData(1_000_000, "10000")]
    public async Task Endpoints_are_asked_for_by_text_and_count(int? recent, string sent)
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        var result = await world.Plugin.FindAvailableEndpointsAsync(World.Session(), [], "web", recent);
        Assert.True(result.IsSuccess);
        var endpoint = Assert.IsType<TestEndpoint>(Assert.Single(result.ResultValue!));
        Assert.Equal(("e1", "web01", "web01.corp.test", null, 3389, "rdp", "blue"),
            (endpoint.EndpointId, endpoint.Name, endpoint.Hostname, endpoint.IPAddress, endpoint.Port, endpoint.Method, endpoint.NetworkId));
        var body = World.Json(Assert.Single(gateway.Requests));
        Assert.Equal("web", body.GetProperty("query").GetString());
        Assert.Equal(sent, body.GetProperty("recent").GetRawText());
        Assert.Equal("[]", body.GetProperty("types").GetRawText());
    }

    [Fact]
    public async Task Endpoint_types_go_by_name_or_by_the_map()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url(), (keys, folder) =>
            keys["MemberMap"] = folder.File("map", """{"endpoint_types":{"1":"rdp","2":"shell"}}"""));
        await world.Plugin.FindAvailableEndpointsAsync(
            World.Session(), [(EndpointPackageType)1, (EndpointPackageType)2, (EndpointPackageType)3, (EndpointPackageType)1], "", null);
        Assert.Equal("""["rdp","shell","other"]""", World.Json(Assert.Single(gateway.Requests)).GetProperty("types").GetRawText());
    }

    [Theory]
    [InlineData("RemoteRDP", "rdp")]
    [InlineData("Rdp", "rdp")]
    [InlineData("ShellJump", "shell")]
    [InlineData("SSH", "shell")]
    [InlineData("WebJump", "other")]
    public void Names_of_endpoint_types(string name, string word) =>
        Assert.Equal(word, new SdkAdapter(MemberMap.Empty).EndpointType(name));

    [Fact]
    public async Task Started_sends_the_history_url()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        Assert.True((await world.Plugin.SessionStartedAsync(World.Session(), "https://pra.example.test/h?k=1", 60)).IsSuccess);
        Assert.True((await world.Plugin.SessionStartedAsync(World.Session())).IsSuccess);
        var bodies = gateway.Requests.Select(World.Json).ToArray();
        Assert.Equal("https://pra.example.test/h?k=1", bodies[0].GetProperty("history_url").GetString());
        Assert.Equal(60, bodies[0].GetProperty("history_url_expiry_seconds").GetInt32());
        Assert.Equal(JsonValueKind.Null, bodies[1].GetProperty("history_url").ValueKind);
        Assert.Equal(JsonValueKind.Null, bodies[1].GetProperty("history_url_expiry_seconds").ValueKind);
    }

    [Fact]
    public async Task Start_session_fails_with_the_gateways_text()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        var (success, value, error) = World.Outcome(await world.Plugin.StartSessionAsync(World.Session(), "c1"));
        Assert.False(success);
        Assert.Null(value);
        Assert.Contains("unsupported: this gateway starts no sessions", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Complete_succeeds()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        Assert.True((await world.Plugin.SessionCompleteAsync(World.Session())).IsSuccess);
        Assert.Equal("/v1/sessions/complete", Assert.Single(gateway.Requests).Path);
    }

    [Fact]
    public async Task Every_request_has_token_deadline_and_an_id_of_its_own()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url(), (keys, _) =>
        {
            keys["FindTimeoutMs"] = "6000";
            keys["CheckoutTimeoutMs"] = "13000";
            keys["OtherTimeoutMs"] = "7000";
        });
        foreach (var operation in World.Operations.Values)
        {
            await operation(world.Plugin);
        }
        Assert.Equal(9, gateway.Requests.Count);
        Assert.Equal(9, gateway.Requests.Select(request => request.Headers["X-Request-Id"]).Distinct().Count());
        foreach (var request in gateway.Requests)
        {
            Assert.Equal($"Bearer {World.Token}", request.Headers["Authorization"]);
            var expected = request.Path.EndsWith("/find", StringComparison.Ordinal) ? 5750
                : request.Path.EndsWith("/checkout", StringComparison.Ordinal) ? 12750 : 6750;
            Assert.Equal(expected, int.Parse(request.Headers["X-Request-Timeout-Ms"], CultureInfo.InvariantCulture));
            Assert.Contains(world.Log, line => line.Contains(request.Headers["X-Request-Id"], StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_log_has_neither_token_nor_password_at_any_level()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        foreach (var operation in World.Operations.Values)
        {
            await operation(world.Plugin);
        }
        Assert.True(world.Log.Count > 9);
        Assert.DoesNotContain(world.Log, line => line.Contains(World.Token, StringComparison.Ordinal) || line.Contains("Tr0ut", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Fifty_calls_run_at_once_on_one_instance()
    {
        using var all = new Barrier(50);
        using var gateway = new FakeGateway(request =>
        {
            // No call is answered before all have come: a call that waited for another would end this by its deadline.
            all.SignalAndWait(TimeSpan.FromSeconds(30));
            return World.Good(request);
        });
        ThreadPool.SetMinThreads(128, 64);
        using var world = new World(gateway.Url(), (keys, _) => keys["FindTimeoutMs"] = "30000");
        var results = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => world.Plugin.FindCredentialsForSessionAsync(World.Session())));
        Assert.All(results, result => Assert.True(result.IsSuccess));
        Assert.Equal(50, gateway.Requests.Count);
    }

    [Fact]
    public async Task No_more_connections_than_configured()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url(), (keys, _) => keys["MaxConnections"] = "2");
        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => world.Plugin.FindCredentialsForSessionAsync(World.Session())));
        Assert.All(results, result => Assert.True(result.IsSuccess));
        Assert.InRange(gateway.Connections, 1, 2);
    }

    [Fact]
    public void The_plugin_names_itself()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        IECMPlugin plugin = world.Plugin;
        Assert.Equal("jumpgate", plugin.Name);
        Assert.Matches(@"^\d+\.\d+\.\d+$", plugin.Version);
        Assert.NotEmpty(plugin.Description);
    }
}
