// SPDX-License-Identifier: Apache-2.0
// Whatever goes wrong becomes a failed result with a text: never an empty list, a success or an exception.

namespace Jumpgate.EcmPlugin.Tests;

public class FailureTests
{
    public static TheoryData<string> OperationNames => World.OperationNames;

    private static async Task<string> FailsAsync(World world, string operation)
    {
        var (success, value, error) = World.Outcome(await World.Operations[operation](world.Plugin));
        Assert.False(success);
        Assert.Null(value);
        Assert.StartsWith("jumpgate: ", error, StringComparison.Ordinal);
        Assert.Matches(@"\(request ecm-[0-9a-f]{32}\)$", error);
        Assert.DoesNotContain("Tr0ut", error, StringComparison.Ordinal);
        Assert.DoesNotContain(World.Token, error, StringComparison.Ordinal);
        Assert.DoesNotContain(world.Log, line => line.Contains("Tr0ut", StringComparison.Ordinal) || line.Contains(World.Token, StringComparison.Ordinal));
        return error;
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task A_problem_gives_code_and_detail(string operation)
    {
        using var gateway = new FakeGateway(_ => Reply.Problem(503, "vault_unavailable", "the vault does not answer"));
        using var world = new World(gateway.Url());
        Assert.Contains("vault_unavailable: the vault does not answer", await FailsAsync(world, operation), StringComparison.Ordinal);
        Assert.Single(gateway.Requests);
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task A_web_page_is_no_answer(string operation)
    {
        using var gateway = new FakeGateway(_ => Reply.Json("<html>proxy</html>", 200, "text/html"));
        using var world = new World(gateway.Url());
        Assert.Contains("invalid_answer: status 200", await FailsAsync(world, operation), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task Json_of_another_operation_is_no_answer(string operation)
    {
        using var gateway = new FakeGateway(_ => Reply.Json("""{"other":true}"""));
        using var world = new World(gateway.Url());
        Assert.Contains("invalid_answer", await FailsAsync(world, operation), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task A_redirect_is_not_followed(string operation)
    {
        using var gateway = new FakeGateway(_ => Reply.Text("HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"));
        using var world = new World(gateway.Url());
        Assert.Contains("status 307", await FailsAsync(world, operation), StringComparison.Ordinal);
        Assert.Single(gateway.Requests);
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task Not_http_is_no_answer(string operation)
    {
        using var gateway = new FakeGateway(_ => Reply.Text("220 mail.example.test ESMTP\r\n\r\n"));
        using var world = new World(gateway.Url());
        Assert.Contains("invalid_answer", await FailsAsync(world, operation), StringComparison.Ordinal);
        Assert.Single(gateway.Requests);
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task A_gateway_that_hangs_is_left_at_the_deadline_and_its_connection_closed(string operation)
    {
        using var gateway = new FakeGateway(_ => Reply.Silence);
        using var world = new World(gateway.Url(), (keys, _) =>
        {
            keys["FindTimeoutMs"] = keys["CheckoutTimeoutMs"] = keys["OtherTimeoutMs"] = "1000";
        });
        Assert.Contains("deadline_exceeded: no answer within 1000 ms", await FailsAsync(world, operation), StringComparison.Ordinal);
        Assert.True(await gateway.SawHangUpAsync());
        Assert.Single(gateway.Requests);
    }

    [Theory]
    [MemberData(nameof(OperationNames))]
    public async Task Nothing_listens(string operation)
    {
        string url;
        using (var gateway = new FakeGateway(World.Good))
        {
            url = gateway.Url();
        }
        using var world = new World(url);
        Assert.Contains("gateway_unreachable: no connection: ConnectionRefused", await FailsAsync(world, operation), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"credentials":null}""")]
    [InlineData("""{"credentials":[{"display_value":"x"}]}""")]
    [InlineData("""{"credentials":[{"credential_id":"x"}]}""")]
    [InlineData("""{"credentials":[{"credential_id":"","display_value":"x"}]}""")]
    [InlineData("""{"credentials":[null]}""")]
    [InlineData("""{"credentials":[{"credential_id":7,"display_value":"x"}]}""")]
    [InlineData("""{"credentials":{}}""")]
    [InlineData("""{"credentials":[]""")]
    [InlineData("""{"credentials":[]} trailing""")]
    [InlineData("null")]
    [InlineData("")]
    public async Task A_list_that_is_not_valid_is_no_empty_list(string body)
    {
        using var gateway = new FakeGateway(_ => Reply.Json(body));
        using var world = new World(gateway.Url());
        Assert.Contains("invalid_answer", await FailsAsync(world, "find_credentials"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("credential_id")]
    [InlineData("kind")]
    [InlineData("username")]
    [InlineData("password")]
    public async Task A_secret_without_a_member_is_a_failure(string member)
    {
        using var gateway = new FakeGateway(_ => Reply.Json(World.Secret.Replace($"\"{member}\":", "\"x\":", StringComparison.Ordinal)));
        using var world = new World(gateway.Url());
        Assert.Contains($"no valid {member}", await FailsAsync(world, "checkout"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("health", """{"checks":[]}""")]
    [InlineData("health", """{"healthy":true}""")]
    [InlineData("health", """{"healthy":"yes","checks":[]}""")]
    [InlineData("capabilities", """{"capabilities":{"credentials_used":true}}""")]
    [InlineData("release", """{"remaining_holders":0}""")]
    [InlineData("session_complete", """{"released":"2"}""")]
    [InlineData("find_endpoints", """{"endpoints":[{"name":"a","method":"rdp"}]}""")]
    public async Task Members_that_the_api_promises_must_be_there(string operation, string body)
    {
        using var gateway = new FakeGateway(_ => Reply.Json(body));
        using var world = new World(gateway.Url());
        Assert.Contains("invalid_answer", await FailsAsync(world, operation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_status_that_is_not_documented_is_a_failure()
    {
        using var gateway = new FakeGateway(request => Reply.Json(
            request.Path.EndsWith("started", StringComparison.Ordinal) ? "{}" : """{"credentials":[]}""",
            request.Path.EndsWith("started", StringComparison.Ordinal) ? 200 : 201));
        using var world = new World(gateway.Url());
        Assert.Contains("status 201", await FailsAsync(world, "find_credentials"), StringComparison.Ordinal);
        Assert.Contains("status 200", await FailsAsync(world, "session_started"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("find_credentials", """{"credentials":[],"request_id":"x"}""")]
    [InlineData("session_complete", """{"released":0,"pending":true}""")]
    public async Task A_cut_body_is_a_failure_and_is_not_asked_for_again(string operation, string body)
    {
        for (var share = 0; share < body.Length; share += 5)
        {
            using var gateway = new FakeGateway(_ => Reply.Cut(body, share));
            using var world = new World(gateway.Url());
            Assert.Contains("connection_lost: the connection broke within the answer", await FailsAsync(world, operation), StringComparison.Ordinal);
            Assert.Single(gateway.Requests);
        }
    }

    [Fact]
    public async Task A_cut_secret_leaves_no_piece_behind()
    {
        for (var share = 1; share < World.Secret.Length; share += 7)
        {
            using var gateway = new FakeGateway(_ => Reply.Cut(World.Secret, share));
            using var world = new World(gateway.Url());
            await FailsAsync(world, "checkout");
            Assert.Single(gateway.Requests);
        }
    }

    [Fact]
    public async Task A_chunked_answer_is_read_and_a_cut_one_is_not()
    {
        const string head = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        const string body = "5\r\n{\"rel\r\nb\r\neased\":3}  \r\n";
        using (var gateway = new FakeGateway(_ => Reply.Text(head + body + "0\r\n\r\n")))
        using (var world = new World(gateway.Url()))
        {
            Assert.True((await world.Plugin.SessionCompleteAsync(World.Session())).IsSuccess);
        }
        using (var gateway = new FakeGateway(_ => Reply.Text(head + body)))
        using (var world = new World(gateway.Url()))
        {
            await FailsAsync(world, "session_complete");
        }
    }

    [Theory]
    [InlineData("find_credentials", 2)]
    [InlineData("find_endpoints", 2)]
    [InlineData("health", 2)]
    [InlineData("capabilities", 2)]
    [InlineData("release", 2)]
    [InlineData("session_complete", 2)]
    [InlineData("checkout", 1)]
    [InlineData("session_started", 1)]
    [InlineData("start_session", 1)]
    public async Task A_connection_that_breaks_without_an_answer_is_tried_once_more_where_that_is_safe(string operation, int times)
    {
        using var gateway = new FakeGateway(_ => Reply.Nothing);
        using var world = new World(gateway.Url());
        Assert.Contains("connection_lost: the connection broke before an answer", await FailsAsync(world, operation), StringComparison.Ordinal);
        Assert.Equal(times, gateway.Requests.Count);
        Assert.Single(gateway.Requests.Select(request => request.Headers["X-Request-Id"]).Distinct());
    }

    [Theory]
    [InlineData("find_credentials", 2)]
    [InlineData("capabilities", 2)]
    [InlineData("checkout", 1)]
    [InlineData("session_started", 1)]
    public async Task A_kept_connection_that_breaks_is_no_reason_to_repeat_more(string operation, int times)
    {
        var served = 0;
        using var gateway = new FakeGateway(request => Interlocked.Increment(ref served) <= 1 ? World.Good(request) : Reply.Nothing);
        using var world = new World(gateway.Url());
        Assert.True(World.Outcome(await World.Operations["session_complete"](world.Plugin)).Success);
        await FailsAsync(world, operation);
        Assert.Equal(1 + times, gateway.Requests.Count);
    }

    [Fact]
    public async Task The_second_try_may_succeed()
    {
        var served = 0;
        using var gateway = new FakeGateway(request => Interlocked.Increment(ref served) == 1 ? Reply.Nothing : World.Good(request));
        using var world = new World(gateway.Url());
        Assert.True((await world.Plugin.FindCredentialsForSessionAsync(World.Session())).IsSuccess);
        Assert.Equal(2, gateway.Requests.Count);
    }

    [Fact]
    public async Task A_break_within_the_head_is_not_repeated()
    {
        using var gateway = new FakeGateway(_ => Reply.Text("HTTP/1.1 200 X\r\nContent-Ty"));
        using var world = new World(gateway.Url());
        Assert.Contains("within the answer", await FailsAsync(world, "find_credentials"), StringComparison.Ordinal);
        Assert.Single(gateway.Requests);
    }

    [Fact]
    public async Task The_second_try_keeps_to_the_first_deadline()
    {
        var served = 0;
        using var gateway = new FakeGateway(_ => Interlocked.Increment(ref served) == 1 ? Reply.Nothing : Reply.Silence);
        using var world = new World(gateway.Url(), (keys, _) => keys["FindTimeoutMs"] = "3000");
        Assert.Contains("deadline_exceeded", await FailsAsync(world, "find_credentials"), StringComparison.Ordinal);
        Assert.Equal(2, gateway.Requests.Count);
        Assert.True(int.Parse(gateway.Requests.Last().Headers["X-Request-Timeout-Ms"], System.Globalization.CultureInfo.InvariantCulture) <= 2750);
    }

    [Fact]
    public async Task An_answer_that_drips_is_cut_by_the_deadline()
    {
        using var gateway = new FakeGateway(_ => new Reply(
            System.Text.Encoding.ASCII.GetBytes("HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"cre"), Hang: true));
        using var world = new World(gateway.Url(), (keys, _) => keys["FindTimeoutMs"] = "1500");
        Assert.Contains("deadline_exceeded", await FailsAsync(world, "find_credentials"), StringComparison.Ordinal);
        Assert.True(await gateway.SawHangUpAsync());
    }

    [Fact]
    public async Task An_answer_over_the_limit_is_a_failure()
    {
        using var gateway = new FakeGateway(_ => Reply.Text("HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{"));
        using var world = new World(gateway.Url());
        Assert.Contains("the body is over", await FailsAsync(world, "find_credentials"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_detail_that_shows_the_token_or_control_characters_is_cleaned()
    {
        using var gateway = new FakeGateway(request => Reply.Problem(400, "invalid_request", "bad header " + request.Headers["Authorization"] + @" a\nb"));
        using var world = new World(gateway.Url());
        var error = await FailsAsync(world, "find_credentials");
        Assert.Contains("Bearer *** a b", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_ssh_key_that_the_sdk_cannot_take_is_released_at_once()
    {
        const string key = """{"credential_id":"c1","kind":"ssh_key","username":"root","account":"root","domain":null,"private_key":"Tr0ut-key","lease":{}}""";
        using var gateway = new FakeGateway(request => request.Path.EndsWith("checkout", StringComparison.Ordinal) ? Reply.Json(key) : World.Good(request));
        using var world = new World(gateway.Url());
        Assert.Contains("SSH key", await FailsAsync(world, "checkout"), StringComparison.Ordinal);
        Assert.Equal(["/v1/credentials/checkout", "/v1/credentials/release"], gateway.Requests.Select(request => request.Path));
        var release = World.Json(gateway.Requests.Last());
        Assert.Equal("c1", release.GetProperty("credential_id").GetString());
        Assert.Equal("S-1", release.GetProperty("session").GetProperty("id").GetString());
    }

    [Fact]
    public async Task Null_arguments_are_failures()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url());
        Assert.False((await world.Plugin.FindCredentialsForSessionAsync(null!)).IsSuccess);
        Assert.False((await world.Plugin.SessionCompleteAsync(null!)).IsSuccess);
        Assert.Empty(gateway.Requests);
        Assert.True((await world.Plugin.FindAvailableEndpointsAsync(World.Session(), null!, null!, null)).IsSuccess);
    }

    [Fact]
    public async Task After_its_end_the_plugin_fails_every_call()
    {
        using var gateway = new FakeGateway(World.Good);
        var world = new World(gateway.Url());
        world.Dispose();
        foreach (var operation in World.Operations.Keys)
        {
            Assert.False(World.Outcome(await World.Operations[operation](world.Plugin)).Success);
        }
    }
}
