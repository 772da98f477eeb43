// SPDX-License-Identifier: Apache-2.0
// The test host: runs the plug-in without the vendor's service. It reads one JSON object per line
//
//     {"id":…,"operation":"find_credentials","arguments":{"session":{…}},"parallel":true}
//
// calls the interface, and writes one JSON line for each: {"id","operation","success","value","error","milliseconds"}.
// Lines with "parallel":true run at once with the lines around them; another waits for all before it. A secret in a
// value is written as its SHA-256 only. The plug-in's log goes to standard error.
//
// Configuration: environment Jumpgate__KEY. Exit code: 0 at the end of the input, 2 for mistakes in the configuration.

using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Jumpgate.EcmPlugin;
using Jumpgate.EcmPlugin.TestHost;

PluginConfiguration configuration;
try
{
    configuration = PluginConfiguration.Read(PluginConfiguration.FromEnvironment());
}
catch (PluginConfigurationException e)
{
    foreach (var mistake in e.Mistakes)
    {
        Console.Error.WriteLine($"configuration: {PluginConfiguration.Section}:{mistake}");
    }
    return 2;
}

#if ECM_STUBS
var sdk = new SdkAdapter(configuration.MemberMap, typeof(TestSession), typeof(TestEndpoint));
#else
var sdk = new SdkAdapter(configuration.MemberMap);
#endif
using var input = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
using var output = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true });
using var errors = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardError(), new UTF8Encoding(false)) { AutoFlush = true });
using var plugin = new JumpgatePlugin(
    configuration,
    (level, line) => errors.WriteLine($"{level.ToString().ToLowerInvariant()} {line}"),
    sdk);
var operations = new Operations(plugin, sdk);

var running = new List<Task>();
while (await input.ReadLineAsync() is { } line)
{
    if (string.IsNullOrWhiteSpace(line))
    {
        continue;
    }
    var (parsed, parallel) = Read(line);
    if (!parallel)
    {
        await Task.WhenAll(running);
        running.Clear();
    }
    var task = RunAsync(parsed);
    running.Add(task);
    if (!parallel)
    {
        await task;
    }
}
await Task.WhenAll(running);
return 0;

static (JsonElement? Line, bool Parallel) Read(string line)
{
    try
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement.Clone();
        return root.ValueKind == JsonValueKind.Object
            ? (root, root.TryGetProperty("parallel", out var parallel) && parallel.ValueKind == JsonValueKind.True)
            : (null, false);
    }
    catch (JsonException)
    {
        return (null, false);
    }
}

async Task RunAsync(JsonElement? line)
{
    var began = Stopwatch.GetTimestamp();
    var operation = line is { } object_ && object_.TryGetProperty("operation", out var name) ? name.ToString() : "";
    var (success, value, error) = (false, (object?)null, (string?)null);
    try
    {
        var arguments = line is { } whole && whole.TryGetProperty("arguments", out var given) ? given : default;
        (success, value, error) = line is null
            ? throw new LineException("the line is not a JSON object")
            : sdk.Outcome(await operations.CallAsync(operation, arguments));
    }
    catch (Exception e) when (e is LineException or ArgumentException or InvalidOperationException or FormatException)
    {
        error = "test host: " + e.Message;
    }
    var answer = new Dictionary<string, object?>
    {
        ["id"] = line is { } l && l.TryGetProperty("id", out var id) ? id : null,
        ["operation"] = operation,
        ["success"] = success,
        ["value"] = Values.Plain(value),
        ["error"] = error,
        ["milliseconds"] = (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds,
    };
    await output.WriteLineAsync(JsonSerializer.Serialize(answer));
}
