// SPDX-License-Identifier: Apache-2.0
// TLS and identity: which certificates are trusted, and when the files of the credentials are read again.

using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Jumpgate.EcmPlugin.Tests;

public sealed class TlsTests : IDisposable
{
    private readonly Authority authority = new("jumpgate test authority");
    private readonly Authority other = new("another authority");

    public void Dispose()
    {
        authority.Dispose();
        other.Dispose();
    }

    private static async Task<string> ErrorAsync(World world) =>
        World.Outcome(await world.Plugin.FindCredentialsForSessionAsync(World.Session())).Error;

    private World Trusting(FakeGateway gateway, string pem, string host = "127.0.0.1") =>
        new(gateway.Url(host), (keys, folder) => keys["CaFile"] = folder.File("ca.pem", pem));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public async Task The_private_authority_is_trusted(string host)
    {
        using var certificate = authority.Make("localhost", IPAddress.Loopback);
        using var gateway = new FakeGateway(World.Good, certificate);
        using var world = Trusting(gateway, authority.Pem, host);
        Assert.Equal("", await ErrorAsync(world));
    }

    [Fact]
    public async Task Another_authority_is_not_trusted()
    {
        using var certificate = authority.Make("localhost", IPAddress.Loopback);
        using var gateway = new FakeGateway(World.Good, certificate);
        using var world = Trusting(gateway, other.Pem);
        Assert.Contains("gateway_untrusted", await ErrorAsync(world), StringComparison.Ordinal);
        Assert.Empty(gateway.Requests);
    }

    [Fact]
    public async Task The_private_authority_is_none_of_the_operating_systems()
    {
        using var certificate = authority.Make("localhost", IPAddress.Loopback);
        using var gateway = new FakeGateway(World.Good, certificate);
        using var world = new World(gateway.Url());
        Assert.Contains("gateway_untrusted", await ErrorAsync(world), StringComparison.Ordinal);
        Assert.Empty(gateway.Requests);
    }

    [Fact]
    public async Task The_right_authority_with_another_name_is_not_trusted()
    {
        using var certificate = authority.Make("elsewhere.example.test");
        using var gateway = new FakeGateway(World.Good, certificate);
        using var world = Trusting(gateway, authority.Pem);
        var error = await ErrorAsync(world);
        Assert.Contains("gateway_untrusted", error, StringComparison.Ordinal);
        Assert.Contains("NameMismatch", error, StringComparison.Ordinal);
        Assert.Empty(gateway.Requests);
    }

    [Fact]
    public async Task A_server_without_tls_is_not_trusted()
    {
        using var gateway = new FakeGateway(World.Good);
        using var world = new World(gateway.Url().Replace("http:", "https:", StringComparison.Ordinal), (keys, folder) =>
        {
            keys["CaFile"] = folder.File("ca.pem", authority.Pem);
            keys["FindTimeoutMs"] = "2000";
        });
        Assert.NotEqual("", await ErrorAsync(world));
        Assert.Empty(gateway.Requests);
    }

    [Fact]
    public void A_client_certificate_is_read_with_its_password()
    {
        using var folder = new Folder();
        using var certificate = authority.Make("ecm.example.test");
        var keys = new Dictionary<string, string?>
        {
            ["Url"] = "https://gateway.example.test",
            ["ClientCertificateFile"] = folder.File("c.p12", certificate.Export(X509ContentType.Pkcs12, "pw")),
            ["ClientCertificatePasswordFile"] = folder.File("pw", "pw\n"),
        };
        Assert.NotNull(PluginConfiguration.Read(keys));
        keys["ClientCertificatePasswordFile"] = folder.File("pw", "wrong\n");
        Assert.Contains("ClientCertificateFile: is not PKCS#12, or its password is wrong",
            Assert.Throws<PluginConfigurationException>(() => PluginConfiguration.Read(keys)).Mistakes);
    }

    [Fact]
    public async Task A_changed_token_is_read_after_401_and_the_call_is_repeated()
    {
        var right = "new-token";
        using var gateway = new FakeGateway(request => request.Headers["Authorization"] == "Bearer " + right
            ? World.Good(request) : Reply.Problem(401, "unauthenticated", "no client has this token"));
        using var world = new World(gateway.Url());
        Assert.Contains("unauthenticated", await ErrorAsync(world), StringComparison.Ordinal);
        Assert.Single(gateway.Requests);
        File.WriteAllText(world.TokenFile, right);
        // Also for a check-out: what was refused had no effect.
        Assert.True((await world.Plugin.GetCredentialForInjectionAsync(World.Session(), "c1")).IsSuccess);
        Assert.Equal(3, gateway.Requests.Count);
        Assert.Equal("", await ErrorAsync(world));
        Assert.Equal(4, gateway.Requests.Count);
    }

    [Fact]
    public async Task A_token_file_that_is_gone_leaves_the_old_token()
    {
        using var gateway = new FakeGateway(_ => Reply.Problem(401, "unauthenticated", "x"));
        using var world = new World(gateway.Url());
        File.Delete(world.TokenFile);
        Assert.Contains("unauthenticated", await ErrorAsync(world), StringComparison.Ordinal);
        Assert.Single(gateway.Requests);
        Assert.Contains(world.Log, line => line.StartsWith("Warn credentials not read again: TokenFile:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_changed_authority_is_read_after_a_failure_of_tls()
    {
        using var certificate = authority.Make("localhost", IPAddress.Loopback);
        using var gateway = new FakeGateway(World.Good, certificate);
        using var world = Trusting(gateway, other.Pem);
        Assert.Contains("gateway_untrusted", await ErrorAsync(world), StringComparison.Ordinal);
        world.Folder.File("ca.pem", other.Pem + "\n" + authority.Pem);
        Assert.Equal("", await ErrorAsync(world));
    }
}
